//! Draws the demonstration's pictures: every product as a small still life on a market table late in
//! the afternoon, with low light from the left. Deterministic, self-contained SVG of 800 by 800.
mod care;
mod colour;
mod cycle;
mod desk;
mod garden;
mod kitchen;
mod light;
mod pantry;
mod pen;
mod soft;
mod sound;
mod stage;
mod table;
mod toys;

use super::content::{Product, Store, dice};
use colour::{Colour, named};
use pen::Pen;
use stage::{document, pattern, stage};

/// How a motif is staged, and the function that draws it.
type Motif = (Scene, fn(&mut Pen));

#[derive(Clone, Copy, PartialEq)]
enum Scene {
    /// Standing on the table at a height of 640, in front of a wall.
    Stand,
    /// Lying on the table or hanging on the wall, seen from straight ahead.
    Lie,
}

fn motif(name: &str) -> Option<Motif> {
    let shelves = [
        table::motif,
        soft::motif,
        pantry::motif,
        cycle::motif,
        kitchen::motif,
        desk::motif,
        toys::motif,
        garden::motif,
        care::motif,
        sound::motif,
        light::motif,
    ];
    shelves.into_iter().find_map(|shelf| shelf(name))
}

/// The picture of a product.
pub(crate) fn product_svg(product: &Product, store: &Store) -> String {
    let seed = dice(&product.slug);
    let (scene, draw) = motif(&product.look.motif).expect("every product names a motif that exists");
    let (main, side) = colours(product, seed);
    let finish = product.look.words.iter().find(|word| named(word).is_none()).map(String::as_str);
    let mut pen = Pen::new(main, side, finish, seed);
    draw(&mut pen);
    let subject = match scene {
        Scene::Stand => format!("<g transform=\"translate(-52 -66) scale(1.13)\">{}</g>", pen.into_shapes()),
        Scene::Lie => {
            let angle = seed % 9;
            format!(
                "<g filter=\"url(#q)\"><g transform=\"rotate({} 400 400)\">{}</g></g>",
                f64::from(u8::try_from(angle).unwrap_or_default()) - 4.0,
                pen.into_shapes()
            )
        }
    };
    let stage = stage(scene, main, seed);
    let title = format!("{} by {}", product.title, store.name);
    document(&title, &format!("{stage}{subject}"), finish.map(|it| pattern(it, side)))
}

/// A store's picture: its stall, with some of its goods under the awning.
pub(crate) fn store_svg(store: &Store) -> String {
    // The middle of each of the goods on the counter and how large it is.
    const PLACES: [(f64, f64); 3] = [(146.0, 0.5), (400.0, 0.6), (654.0, 0.5)];
    let seed = dice(&store.slug);
    let mut goods: Vec<(&str, String)> = Vec::new();
    for product in &store.products {
        let name = product.look.motif.as_str();
        let Some((Scene::Stand, draw)) = motif(name) else { continue };
        if goods.iter().all(|(other, _)| *other != name) {
            let (main, side) = colours(product, dice(&product.slug));
            let mut pen = Pen::new(main, side, None, seed).with_short_shadows();
            draw(&mut pen);
            goods.push((name, pen.into_shapes()));
        }
    }
    // The plainest goods, which read well when small, in the store's order.
    let mut sizes: Vec<usize> = goods.iter().map(|(_, shapes)| shapes.len()).collect();
    sizes.sort_unstable();
    let limit = sizes.get(PLACES.len() - 1).copied().unwrap_or(usize::MAX);
    let plain = goods.into_iter().filter(|(_, shapes)| shapes.len() <= limit);

    let paper = named("paper").expect("a known colour");
    let awning = AWNINGS[usize::try_from((seed >> 5) % 6).unwrap_or_default()];
    let mut pen = Pen::new(named(awning).expect("awnings have known colours"), paper, None, seed);
    pen.slab("paper-1", [0, 0, 800, 800, 0]);
    pen.fill("white@5", "M170 300h190l-80 400h-190zM390 300h190l-80 400h-190z");
    pen.slab("oak", [0, 680, 800, 34, 0]).slab("walnut", [0, 714, 800, 86, 0]);
    for ((_, shapes), (x, scale)) in plain.zip(PLACES) {
        let (x, y) = (x - 400.0 * scale, 690.0 - 638.0 * scale);
        pen.group(&format!("translate({x:.0} {y:.0}) scale({scale})"), |p| {
            p.raw(&shapes);
        });
    }
    let stripes = |first| -> String {
        (first..800).step_by(160).map(|x| format!("M{x} 40h80v140a40 40 0 0 1-80 0z")).collect()
    };
    pen.fill("ink@1", "M0 190H800V236H0z").fill("main", &stripes(0)).fill("side", &stripes(80));
    pen.raw("<path d=\"M0 40H800V220H0z\" fill=\"url(#a)\"/>").slab("main-3", [0, 24, 800, 24, 0]);
    document(&format!("{}, a stall at the market", store.name), &pen.into_shapes(), None)
}

const AWNINGS: [&str; 6] = ["brick", "forest", "saffron", "indigo", "terracotta", "teal"];

/// The main and the second colour: as written, else from the options, else by chance.
fn colours(product: &Product, seed: u64) -> (Colour, Colour) {
    let written: Vec<Colour> = product.look.words.iter().filter_map(|word| named(word)).collect();
    let options = product.options.iter().flat_map(|option| &option.values);
    let chosen: Vec<Colour> = options.filter_map(|value| named(&value.to_lowercase())).collect();
    let pick = |list: &[&str], turn: u64| {
        let index = usize::try_from(turn).unwrap_or_default() % list.len();
        named(list[index]).expect("a colour of the market")
    };
    let main = written.first().or(chosen.first()).copied();
    let main =
        main.unwrap_or_else(|| pick(&["sage", "terracotta", "indigo", "oat", "forest", "brick"], seed));
    let side = written.get(1).copied().unwrap_or_else(|| {
        let others = ["cream", "saffron", "walnut", "oat", "brick", "ink"];
        let turns = (0..6).map(|turn| pick(&others, seed / 7 + turn));
        turns.into_iter().find(|it| it.distance(main) > 22.0).unwrap_or_else(|| pick(&others, seed))
    });
    (main, side)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::content::load;
    use super::*;

    const FINISHES: [&str; 9] =
        ["stripe", "check", "herringbone", "waffle", "diamond", "speckle", "sprig", "wave", "dip"];

    /// Whether every tag is closed in order and every `&` starts an entity.
    fn is_balanced(svg: &str) -> bool {
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let Some((tag, text)) = tag.split_once('>') else { return false };
            if tag.matches('"').count() % 2 == 1
                || text.contains('&') != (text.contains("&amp;") || text.contains("&lt;"))
            {
                return false;
            }
            if let Some(name) = tag.strip_prefix('/') {
                if open.pop() != Some(name) {
                    return false;
                }
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().unwrap_or_default());
            }
        }
        open.is_empty()
    }

    #[test]
    fn every_product_has_its_own_small_picture() {
        let demo = load();
        let mut seen = HashMap::new();
        for store in &demo.stores {
            for product in &store.products {
                let svg = product_svg(product, store);
                assert!(is_balanced(&svg), "{}", product.slug);
                assert!(svg.len() < 6 * 1024, "{} takes {} bytes", product.slug, svg.len());
                assert!(!svg.contains("<script") && !svg.contains("href") && !svg.contains("style="));
                let (_, picture) = svg.split_once("</title>").expect("a title");
                if let Some(other) = seen.insert(picture.to_owned(), product.slug.clone()) {
                    panic!("{} and {other} look the same", product.slug);
                }
            }
        }
    }

    #[test]
    fn every_store_has_its_own_small_picture() {
        let demo = load();
        let pictures: Vec<String> = demo.stores.iter().map(store_svg).collect();
        for (index, svg) in pictures.iter().enumerate() {
            assert!(is_balanced(svg) && svg.len() < 6 * 1024, "{} bytes", svg.len());
            assert!(!pictures[..index].contains(svg));
        }
    }

    #[test]
    fn draws_the_same_every_time() {
        let demo = load();
        let store = &demo.stores[0];
        assert_eq!(product_svg(&store.products[0], store), product_svg(&store.products[0], store));
    }

    #[test]
    fn looks_use_known_words() {
        for product in load().stores.iter().flat_map(|store| &store.products) {
            assert!(
                motif(&product.look.motif).is_some(),
                "{}: no motif {}",
                product.slug,
                product.look.motif
            );
            for word in &product.look.words {
                assert!(
                    named(word).is_some() || FINISHES.contains(&word.as_str()),
                    "{}: {word}",
                    product.slug
                );
            }
        }
    }
}
