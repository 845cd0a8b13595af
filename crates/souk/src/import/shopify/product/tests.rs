use super::*;

const HEADER: &str = "Handle|Title|Type|Tags|Status|Option1 Name|Option1 Value|Option2 Name|Option2 Value|Variant Price|\
    Variant Compare At Price|Variant Inventory Qty|Variant Grams|Image Src|Image Position";

fn assembled(rows: &[&str]) -> (Option<Assembled>, Vec<Remark>) {
    let record = |line: &str| StringRecord::from(line.split('|').collect::<Vec<_>>());
    let columns = Columns::of(&record(HEADER)).unwrap();
    let reading = Reading { columns, currency: Currency::EUR, unsaid_stock: 7 };
    let rows: Vec<_> = rows.iter().map(|row| record(row)).collect();
    assemble(&reading, &rows.iter().collect::<Vec<_>>())
}

#[test]
fn puts_the_rows_of_a_product_together() {
    let (product, remarks) = assembled(&[
        "cup|Cup|Mugs|tea, blue,tea||Size|Small|Colour|Blue|12.50|0.00|3|90.4|https://x.test/2.jpg|2",
        "cup|||||| Large || Blue |15|20||x||",
        "cup|||||||||||||https://x.test/1.jpg|1",
    ]);
    let Assembled { product, category, stock } = product.unwrap();
    assert_eq!(remarks, [(1, Outcome::Mended, "the weight is not a number of grams: it is left out")]);
    assert_eq!((category.as_deref(), stock.as_slice()), (Some("Mugs"), &[3, 7][..]));
    assert_eq!(product.tags, ["tea", "blue"]);
    let options: Vec<_> = product.options.iter().map(|o| (o.name.as_str(), o.values.join("/"))).collect();
    assert_eq!(options, [("Size", "Small/Large".to_owned()), ("Colour", "Blue".to_owned())]);
    let variants: Vec<_> = product.variants.iter().map(|v| (v.options.join("/"), v.price.amount)).collect();
    assert_eq!(variants, [("Small/Blue".to_owned(), 1250), ("Large/Blue".to_owned(), 1500)]);
    let before: Vec<_> =
        product.variants.iter().map(|v| v.compare_at_price.map(|price| price.amount)).collect();
    assert_eq!(before, [None, Some(2000)]);
    assert_eq!(product.variants[0].weight_grams, 90);
    assert_eq!(
        product.images.iter().map(|i| i.url.as_str()).collect::<Vec<_>>(),
        ["https://x.test/1.jpg", "https://x.test/2.jpg"]
    );
}

#[test]
fn default_title_means_nothing_to_choose() {
    let (product, remarks) = assembled(&["pot|Pot||||Title|Default Title|||50||||"]);
    let product = product.unwrap().product;
    assert!(remarks.is_empty() && product.options.is_empty() && product.variants[0].options.is_empty());
    assert_eq!(product.status, ProductStatus::Active);
}

#[test]
fn reports_bad_rows_and_imports_the_others() {
    let (product, remarks) = assembled(&[
        "cup|Cup|||Active|Size|Small|||12.505||||",
        "cup||||||Large|||-1||||",
        "cup||||||Huge|||15||-4||",
        "cup||||||Huge|||16||||",
        "cup||||||Tiny|||||||",
        "cup|||||||||9||||",
        "cup||||||Odd|||9||many||",
        "cup|||||||||||||javascript:alert(1)|",
        "cup|||||||||||||",
    ]);
    let Assembled { product, stock, .. } = product.unwrap();
    assert_eq!((product.variants.len(), stock), (1, vec![0]));
    assert_eq!(product.options[0].values, ["Huge"]);
    assert_eq!(
        remarks,
        [
            (0, Outcome::Refused, "the price has more decimals than its currency"),
            (1, Outcome::Refused, "the price is negative"),
            (2, Outcome::Mended, "the quantity is negative: the stock is none"),
            (3, Outcome::Refused, "another row of the product has the same options"),
            (4, Outcome::Refused, "there is no price"),
            (5, Outcome::Refused, "an option has no value"),
            (6, Outcome::Refused, "the quantity is not a whole number up to a billion"),
            (7, Outcome::Refused, "an image is not at an http or https address: it is left out"),
            (8, Outcome::Refused, "the row has neither a variant nor an image"),
        ]
    );
}

#[test]
fn reports_every_row_of_a_product_that_can_not_be_made() {
    let (product, remarks) = assembled(&["a|||||Size|S|||1||||", "a||||||L|||1||||"]);
    assert!(product.is_none());
    assert_eq!(
        remarks.iter().map(|r| (r.0, r.2)).collect::<Vec<_>>(),
        [(0, "the product has no title"), (1, "the product has no title")]
    );
    let (product, remarks) =
        assembled(&["a|A|||weird|Size|S|||||||", "a|||||||||||||https://x.test/1.jpg|1"]);
    assert!(product.is_none());
    assert_eq!(
        remarks.iter().map(|r| (r.0, r.2)).collect::<Vec<_>>(),
        [(0, "there is no price"), (1, "the product has no variant that can be imported"),]
    );
}

#[test]
fn reads_the_status_or_else_whether_it_is_published() {
    assert_eq!(status("Archived", "true"), (ProductStatus::Archived, None));
    assert_eq!(status("draft", "true"), (ProductStatus::Draft, None));
    assert_eq!(status("", "FALSE"), (ProductStatus::Draft, None));
    assert_eq!(status("", ""), (ProductStatus::Active, None));
    assert!(status("unlisted", "").1.is_some());
}

#[test]
fn files_products_under_their_type_or_the_end_of_their_taxonomy() {
    assert_eq!(category("Mugs", "Home > Cups").as_deref(), Some("Mugs"));
    assert_eq!(category("", "Home > Cups").as_deref(), Some("Cups"));
    assert_eq!(category("", "1234"), None);
    assert_eq!(category("", "gid://shopify/TaxonomyCategory/aa-1"), None);
}
