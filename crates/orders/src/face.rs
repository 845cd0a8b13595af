//! What others may ask of orders.

use std::collections::HashSet;

use async_trait::async_trait;
use catalog::VariantId;
use identity::{Actor, UserId};
use payments::{PaymentId, RefundId, Sale};
use platform::{Currency, CursorRequest, Quantity, Secret, Slice, Violation};

use crate::{
    Accepted, Added, Answer, Back, Cart, CartId, CartLineId, Checkout, Error, IdempotencyKey, Import,
    Imported, Merged, Order, OrderEvent, OrderId, OrderRefund, PaymentPage, RefundAnswer, RefundRequest,
    Settlement,
};

/// What others may ask of orders.
#[async_trait]
pub trait Orders: Send + Sync + 'static {
    /// Opens a cart; the secret is told once and opens it.
    async fn create_cart(&self, actor: &Actor, currency: Option<Currency>) -> Result<(Cart, Secret), Error>;

    /// Opens a cart with units of a variant in it; none is opened if they can not be had. The cart of a person who has
    /// signed in is their account's and needs no secret.
    async fn start_cart(
        &self,
        actor: &Actor,
        variant: VariantId,
        quantity: Quantity,
        key: Option<IdempotencyKey>,
    ) -> Result<(Cart, Option<Secret>), Error>;

    /// The cart of this id, if it is the actor's account's or they hold its token. Lines whose price or stock is not
    /// what the buyer was shown carry notes.
    async fn cart(&self, actor: &Actor, cart: CartId) -> Result<Cart, Error>;

    /// The id of the cart that the actor uses: their account's, else the one that their token opens. With the key of a
    /// checkout, the one that was checked out under it comes first, and those that are done with count too.
    async fn basket(&self, actor: &Actor, checkout: Option<&IdempotencyKey>)
    -> Result<Option<CartId>, Error>;

    /// Puts what is in a guest's cart into the cart of whoever has just signed in, and says what is not as it was. The
    /// guest's cart is gone then. Nothing happens if there is none, or if one of the two is being checked out.
    async fn merge(&self, actor: &Actor, guest: &Secret) -> Result<Option<Merged>, Error>;

    /// Puts units of a variant into a cart, at the price of now. With a key, repeating it adds them once.
    async fn add_item(
        &self,
        actor: &Actor,
        cart: CartId,
        variant: VariantId,
        quantity: Quantity,
        key: Option<IdempotencyKey>,
    ) -> Result<Added, Error>;

    /// Sets the quantity of a line, and accepts the price of now.
    async fn change_item(
        &self,
        actor: &Actor,
        cart: CartId,
        line: CartLineId,
        quantity: Quantity,
    ) -> Result<Cart, Error>;

    /// Takes a line out of a cart.
    async fn remove_item(&self, actor: &Actor, cart: CartId, line: CartLineId) -> Result<Cart, Error>;

    /// Makes an order of a cart and carries it as far as it goes: paid, awaiting payment, or refused.
    /// Once it is written the purchase goes on even if the caller goes away.
    async fn checkout(&self, actor: &Actor, checkout: Checkout) -> Result<Answer, Error>;

    /// Makes an order of a cart. Comes back as soon as it is written; the purchase goes on by itself.
    async fn accept(&self, actor: &Actor, checkout: Checkout) -> Result<Accepted, Error>;

    /// Calls off an order that awaits payment; its stock is free again.
    async fn cancel(&self, actor: &Actor, order: OrderId) -> Result<Order, Error>;

    /// Pays an order that awaits payment.
    async fn pay(
        &self,
        actor: &Actor,
        order: OrderId,
        key: IdempotencyKey,
        means: payments::PaymentMeans,
    ) -> Result<Answer, Error>;

    /// Opens a page at the provider on which an order that awaits payment is paid, or gives the one that is open.
    async fn open_payment_page(
        &self,
        actor: &Actor,
        order: OrderId,
        back: Back,
    ) -> Result<PaymentPage, Error>;

    /// Hears of a payment that its provider told of. Idempotent.
    async fn payment_moved(&self, order: OrderId, payment: PaymentId) -> Result<(), Error>;

    /// Gives money of an order back: the lines of the stores whose money the actor may move. Never more than was paid,
    /// whoever asks at the same time. Sent again with the same key it is answered with the same refund.
    async fn refund(
        &self,
        actor: &Actor,
        order: OrderId,
        key: &IdempotencyKey,
        request: RefundRequest,
    ) -> Result<RefundAnswer, Error>;

    /// The refunds of an order, oldest first: to whoever bought it, and to stores as far as they sold it.
    async fn refunds(&self, actor: &Actor, order: OrderId) -> Result<Vec<OrderRefund>, Error>;

    /// Hears of a refund from payments. Idempotent.
    async fn refund_moved(&self, refund: RefundId) -> Result<(), Error>;

    /// Has the money follow orders: the sales of these that were paid are posted, and nothing can be paid any more for
    /// these, which came to rest. Idempotent.
    async fn settle_money(&self, paid: &[OrderId], at_rest: &[OrderId]) -> Result<(), Error>;

    /// The order of this id, if it is of the actor's account or they hold the token of the cart it came from.
    async fn order(&self, actor: &Actor, order: OrderId) -> Result<Order, Error>;

    /// What happened to an order after this version of it, oldest first. Who may see the order may see this.
    async fn events(&self, actor: &Actor, order: OrderId, after: i32) -> Result<Vec<OrderEvent>, Error>;

    /// The version of an order, which counts what happened to it. Who may see the order may see this.
    async fn version(&self, actor: &Actor, order: OrderId) -> Result<i32, Error>;

    /// The orders of whoever asks, the latest first.
    async fn orders(&self, actor: &Actor, slice: &CursorRequest) -> Result<Slice<Order>, Error>;

    /// The orders of whoever asks, for them to take along (GDPR, Article 15 and 20): the latest 10,000.
    async fn export(&self, actor: &Actor) -> Result<Vec<Order>, Error>;

    /// Forgets who somebody was whose account is gone: their open carts, and what their orders say of them. An order
    /// that is not settled yet stays whole until it is; [`Orders::clean_up`] sees to it.
    async fn forget(&self, actor: &Actor, user: UserId) -> Result<(), Error>;

    /// Writes orders and returns of another system. Those that are there already are left as they are.
    async fn import(&self, actor: &Actor, import: &Import) -> Result<Imported, Error>;

    /// Takes up orders that stand in a step past its deadline; returns how many.
    async fn recover(&self) -> Result<u64, Error>;

    /// Gives up those of these orders that still await payment: their stock was taken back.
    async fn expire(&self, orders: &[OrderId]) -> Result<u64, Error>;

    /// Forgets keys after 24 hours, carts that expired unused a week ago, and buyers whose account is gone; returns how
    /// many.
    async fn clean_up(&self) -> Result<u64, Error>;

    /// Waits until the purchases that run in this process have come to an end.
    async fn drain(&self);

    /// Orders made by checkout, in the order of their ids, for comparison with other modules.
    async fn settlements(&self, after: Option<OrderId>, limit: i64) -> Result<Vec<Settlement>, Error>;

    /// What each store sold in those of these orders that were paid, as the ledger should have it.
    async fn sales(&self, orders: &[OrderId]) -> Result<Vec<Sale>, Error>;

    /// Orders of which others have not heard yet what became of them: their stock may not have followed.
    async fn settling(&self) -> Result<HashSet<OrderId>, Error>;

    /// Which of these payments, each of its order if that is known, belong to an order that is paid, or on the way to it.
    async fn of_payments(&self, payments: &[(PaymentId, Option<OrderId>)]) -> Result<Vec<PaymentId>, Error>;

    /// Which of these orders are still to be settled.
    async fn open(&self, orders: &[OrderId]) -> Result<Vec<OrderId>, Error>;

    /// Looks for broken invariants.
    async fn verify(&self) -> Result<Vec<Violation>, Error>;
}
