//! Purchase limits: what one buyer may have of a product, over all their orders.

use catalog::ProductId;
use identity::UserId;
use inventory::{BuyerKey, Error, Excess, Limit, Line, ReservationId, Reserve};
use platform::Email;
use testkit::{NewProduct, TestApp};
use tokio::task::JoinSet;

use crate::{another_node, line, new_id, request, violations};

/// A request of these buyers for units of a product of which each may have two.
fn limited(id: ReservationId, lines: &[Line], product_id: ProductId, buyers: &[BuyerKey]) -> Reserve {
    let limit = Some(Limit { product_id, most: 2.try_into().unwrap() });
    let lines: Vec<Line> = lines.iter().map(|line| Line { limit, ..*line }).collect();
    Reserve { buyers: buyers.to_vec(), ..request(id, &lines) }
}

fn email(text: &str) -> BuyerKey {
    BuyerKey::of_email(&text.parse::<Email>().unwrap())
}

/// Twenty orders of one buyer at the same time, on two nodes, for what one may have two of: exactly two units are had.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_orders_of_one_buyer_gets_two() {
    let test = TestApp::start().await;
    let variant = test.product(NewProduct { stock: 100, ..NewProduct::default() }).await;
    let (product, ada) = (test.app.sources.id(), email("ada@example.com"));
    let nodes = [test.app.inventory.clone(), another_node(&test)];
    let mut orders = JoinSet::new();
    for turn in 0..20_usize {
        let (node, id) = (nodes[turn % 2].clone(), new_id(&test));
        orders.spawn(async move {
            let outcome = node.reserve(limited(id, &[line(variant, 1)], product, &[ada])).await;
            if turn % 4 == 0 && outcome.is_ok() {
                node.sell(id).await.unwrap();
            }
            outcome
        });
    }
    let outcomes = orders.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        let Error::PurchaseLimit(excesses) = refused else { panic!("{refused}") };
        assert_eq!(excesses, [Excess { line: 0, product_id: product, most: 2, had: 2, requested: 1 }]);
    }
    assert_eq!(test.available(variant).await, 98);
    assert_eq!(violations(&test).await, [] as [String; 0]);
    test.run_jobs().await;
}

/// A limit holds for each name of a buyer, counts all variants and lines together, and gives back what is released. A
/// refusal stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_for_each_name() {
    let test = TestApp::start().await;
    let small = test.product(NewProduct { slug: "small", stock: 9, ..NewProduct::default() }).await;
    let large = test.product(NewProduct { slug: "large", stock: 9, ..NewProduct::default() }).await;
    let inventory = &test.app.inventory;
    let product: ProductId = test.app.sources.id();
    let user: UserId = test.app.sources.id();
    let (account, ada, other) =
        (BuyerKey::of_user(user), email("Ada@example.com"), email("other@example.com"));
    assert_eq!(ada, email("ada@EXAMPLE.com"));
    let first = new_id(&test);
    inventory.reserve(limited(first, &[line(small, 1)], product, &[account, ada])).await.unwrap();
    let (both, refused) = ([line(small, 1), line(large, 1)], new_id(&test));
    for buyers in [[account, other], [other, ada]] {
        let id = new_id(&test);
        let outcome = inventory.reserve(limited(id, &both, product, &buyers)).await;
        assert!(matches!(outcome, Err(Error::PurchaseLimit(_))), "{outcome:?}");
    }
    let outcome = inventory.reserve(limited(refused, &both, product, &[ada])).await;
    assert!(matches!(outcome, Err(Error::PurchaseLimit(_))), "{outcome:?}");
    inventory.reserve(limited(new_id(&test), &both, product, &[other])).await.unwrap();
    inventory.release(first).await.unwrap();
    let again = inventory.reserve(limited(refused, &both, product, &[ada])).await;
    assert!(matches!(again, Err(Error::PurchaseLimit(_))), "the first answer is kept: {again:?}");
    inventory.reserve(limited(new_id(&test), &both, product, &[account, ada])).await.unwrap();
    assert_eq!((test.available(small).await, test.available(large).await), (7, 7));
    assert_eq!(violations(&test).await, [] as [String; 0]);
    test.run_jobs().await;
}
