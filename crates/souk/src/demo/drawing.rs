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
mod table;
mod toys;

use super::content::{Product, Store, dice};
use colour::{Colour, named};
use pen::Pen;

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
        Scene::Stand => pen.into_shapes(),
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

/// A store's picture: its goods' motifs under the awning of its stall.
pub(crate) fn store_svg(store: &Store) -> String {
    let seed = dice(&store.slug);
    let stripe = AWNINGS[usize::try_from(seed % 6).unwrap_or_default()];
    let awning = named(stripe).expect("awnings have known colours");
    let mut goods = String::new();
    let standing = store.products.iter().filter(|it| {
        motif(&it.look.motif).is_some_and(|(scene, _)| scene == Scene::Stand) && it.look.motif != "tote"
    });
    let mut shown: Vec<&str> = Vec::new();
    for product in standing {
        if shown.len() == 3 {
            break;
        }
        if shown.contains(&product.look.motif.as_str()) {
            continue;
        }
        let (_, draw) = motif(&product.look.motif).expect("filtered above");
        let (main, side) = colours(product, dice(&product.slug));
        let mut pen = Pen::new(main, side, None, seed);
        draw(&mut pen);
        let x = [-62, 250, 540][shown.len()] - 10;
        let scale = [0.46, 0.5, 0.46][shown.len()];
        let y = 676.0 - 640.0 * scale;
        goods.push_str(&format!(
            "<g transform=\"translate({x} {y}) scale({scale})\">{}</g>",
            pen.into_shapes()
        ));
        shown.push(&product.look.motif);
    }
    let mut pen = Pen::new(awning, named("paper").expect("a known colour"), None, seed);
    pen.bar("paper-1", [0, 0, 800, 800, 0]).raw("<rect width=\"800\" height=\"800\" fill=\"url(#u)\"/>");
    pen.raw("<g fill=\"#fff6d8\" fill-opacity=\".45\"><path d=\"M150 330l200 0l-70 320l-200 0zM370 330l200 0l-70 320l-200 0z\"/></g>");
    pen.slab("oak", [0, 660, 800, 140, 0])
        .bar("walnut", [0, 700, 800, 100, 0])
        .bar("walnut+1", [0, 700, 800, 8, 0]);
    pen.raw(&goods);
    // The awning: ten stripes with rounded ends.
    pen.fill("ink@2", "M0 232H800V268H0z");
    for stripe in 0..10 {
        let x = stripe * 80;
        let d = format!("M{x} 90h80v130a40 40 0 0 1-80 0z");
        pen.fill(if stripe % 2 == 0 { "main" } else { "side" }, &d);
    }
    pen.raw("<rect y=\"90\" width=\"800\" height=\"170\" fill=\"url(#a)\"/>")
        .bar("main-3", [0, 70, 800, 26, 0]);
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

/// Wall, table and the window's light; the wall keeps away from the subject's colour.
fn stage(scene: Scene, main: Colour, seed: u64) -> String {
    const WALLS: [Colour; 7] = [
        Colour::new(245, 233, 212),
        Colour::new(243, 222, 192),
        Colour::new(238, 215, 198),
        Colour::new(226, 226, 203),
        Colour::new(246, 226, 176),
        Colour::new(216, 222, 216),
        Colour::new(232, 200, 170),
    ];
    const TABLES: [Colour; 5] = [
        Colour::new(222, 190, 146),
        Colour::new(232, 217, 190),
        Colour::new(201, 146, 106),
        Colour::new(168, 112, 78),
        Colour::new(150, 166, 142),
    ];
    let turn = |length: usize, shift: u32| usize::try_from(seed >> shift).unwrap_or_default() % length;
    let fitting = |list: &[Colour], shift: u32| {
        let first = turn(list.len(), shift);
        (0..list.len()).map(|step| list[(first + step) % list.len()]).find(|it| it.distance(main) > 16.0)
    };
    let wall = fitting(&WALLS, 11).unwrap_or(WALLS[0]);
    let shift = turn(120, 17);
    let slant = 50 + turn(50, 23);
    let mut panes = String::new();
    for (column, row) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let (x, y) = (150 + shift + column * 200 - row * slant, 30 + row * 240);
        panes.push_str(&format!("M{x} {y}h184l-{slant} 224h-184z"));
    }
    let light = format!("<path d=\"{panes}\" fill=\"#fff8de\" fill-opacity=\".5\"/>");
    let wall_shape = format!("<path d=\"M0 0H800V800H0z\" fill=\"{wall}\"/>");
    match scene {
        Scene::Lie => format!(
            "{wall_shape}<g transform=\"translate(-130 -60) scale(1.5)\">{light}</g><path d=\"M0 0H800V800H0z\" fill=\"url(#w)\"/>"
        ),
        Scene::Stand => {
            let table = fitting(&TABLES, 29).unwrap_or(TABLES[0]);
            format!(
                "{wall_shape}{light}<path d=\"M0 0H800V560H0z\" fill=\"url(#w)\"/>\
                 <path d=\"M0 556H800V800H0z\" fill=\"{table}\"/><path d=\"M0 556H800V800H0z\" fill=\"url(#t)\"/>\
                 <path d=\"M0 557H800\" stroke=\"{}\" stroke-width=\"3\"/>",
                table.shade(0.45)
            )
        }
    }
}

/// The paint server of a finish, in the second colour.
fn pattern(finish: &str, side: Colour) -> String {
    let tile = |w: u32, h: u32, inner: &str| {
        format!(
            "<pattern id=\"f\" width=\"{w}\" height=\"{h}\" patternUnits=\"userSpaceOnUse\">{inner}</pattern>"
        )
    };
    match finish {
        "stripe" => tile(64, 64, &format!("<path d=\"M0 12h64v20h-64zM0 46h64v5h-64z\" fill=\"{side}\"/>")),
        "check" => tile(
            90,
            90,
            &format!(
                "<g fill=\"{side}\"><path d=\"M0 20h90v26h-90zM20 0v90h26v-90z\" fill-opacity=\".42\"/><path d=\"M0 70h90v4h-90zM70 0v90h4v-90z\"/></g>"
            ),
        ),
        "herringbone" => tile(
            44,
            28,
            &format!(
                "<path d=\"M0 0L22 22L44 0M0 14L22 36L44 14M0 -14L22 8L44 -14\" fill=\"none\" stroke=\"{side}\" stroke-opacity=\".6\" stroke-width=\"4\"/>"
            ),
        ),
        "waffle" => tile(
            30,
            30,
            &format!(
                "<path d=\"M0 0h30M0 0v30\" stroke=\"{side}\" stroke-width=\"9\"/><path d=\"M9 9h17v17\" stroke=\"#fff\" stroke-opacity=\".5\" stroke-width=\"3\" fill=\"none\"/>"
            ),
        ),
        "diamond" => tile(
            80,
            108,
            &format!(
                "<path d=\"M40 8L74 54L40 100L6 54z\" fill=\"{side}\"/><path d=\"M40 34L56 54L40 74L24 54z\" fill=\"{}\"/><path d=\"M0 0l8 10M80 0l-8 10M0 108l8-10M80 108l-8-10\" stroke=\"{side}\" stroke-width=\"6\"/>",
                side.shade(-0.55)
            ),
        ),
        "speckle" => tile(
            110,
            96,
            &format!(
                "<g fill=\"{}\"><circle cx=\"12\" cy=\"14\" r=\"3\"/><circle cx=\"54\" cy=\"8\" r=\"2\"/><circle cx=\"86\" cy=\"30\" r=\"3.5\"/><circle cx=\"34\" cy=\"46\" r=\"2.5\"/><circle cx=\"70\" cy=\"62\" r=\"2\"/><circle cx=\"16\" cy=\"76\" r=\"2\"/><circle cx=\"98\" cy=\"84\" r=\"2.5\"/><circle cx=\"48\" cy=\"86\" r=\"3\"/></g>",
                Colour::new(92, 62, 46)
            ),
        ),
        "sprig" => tile(
            92,
            104,
            &format!(
                "<g fill=\"{side}\"><path d=\"M30 66Q34 40 30 14\" fill=\"none\" stroke=\"{side}\" stroke-width=\"3\"/><path d=\"M31 46q-22-4-20-20q18 2 20 20zM32 34q18-4 18-18q-16 2-18 18zM32 60q20 0 22-16q-18 0-22 16z\"/><circle cx=\"74\" cy=\"84\" r=\"6\"/></g>"
            ),
        ),
        "wave" => tile(
            60,
            60,
            &format!(
                "<path d=\"M0 30q15-26 30 0t30 0\" fill=\"none\" stroke=\"{side}\" stroke-width=\"7\"/>"
            ),
        ),
        _ => format!(
            "<linearGradient id=\"f\" x2=\"0\" y2=\"1\"><stop offset=\".52\" stop-color=\"{side}\" stop-opacity=\"0\"/><stop offset=\".53\" stop-color=\"{side}\"/></linearGradient>"
        ),
    }
}

/// Shared paints, by the letter the shapes refer to them with.
const PAINTS: [(char, &str); 8] = [
    // Light on round things.
    (
        'v',
        "<linearGradient id=\"v\"><stop stop-color=\"#26140f\" stop-opacity=\".12\"/><stop offset=\".24\" stop-color=\"#fff3d6\" stop-opacity=\".38\"/><stop offset=\".48\" stop-color=\"#fff3d6\" stop-opacity=\"0\"/><stop offset=\"1\" stop-color=\"#26140f\" stop-opacity=\".45\"/></linearGradient>",
    ),
    // Light on flat things.
    (
        'u',
        "<linearGradient id=\"u\" x2=\"1\" y2=\"1\"><stop stop-color=\"#fff3d6\" stop-opacity=\".3\"/><stop offset=\".45\" stop-color=\"#fff3d6\" stop-opacity=\"0\"/><stop offset=\"1\" stop-color=\"#26140f\" stop-opacity=\".26\"/></linearGradient>",
    ),
    // Near and long shadow.
    (
        'k',
        "<radialGradient id=\"k\"><stop offset=\".5\" stop-color=\"#26140f\" stop-opacity=\".5\"/><stop offset=\"1\" stop-color=\"#26140f\" stop-opacity=\"0\"/></radialGradient>",
    ),
    (
        'l',
        "<linearGradient id=\"l\"><stop offset=\".2\" stop-color=\"#26140f\" stop-opacity=\".34\"/><stop offset=\"1\" stop-color=\"#26140f\" stop-opacity=\"0\"/></linearGradient>",
    ),
    // Evening on wall and table.
    (
        'w',
        "<linearGradient id=\"w\" x2=\"1\" y2=\"1\"><stop stop-color=\"#fff3d6\" stop-opacity=\".3\"/><stop offset=\"1\" stop-color=\"#8a4a2c\" stop-opacity=\".26\"/></linearGradient>",
    ),
    (
        't',
        "<linearGradient id=\"t\" x2=\".7\" y2=\"1\"><stop stop-color=\"#fff3d6\" stop-opacity=\".22\"/><stop offset=\"1\" stop-color=\"#5a2c1c\" stop-opacity=\".3\"/></linearGradient>",
    ),
    (
        'a',
        "<linearGradient id=\"a\" x2=\"0\" y2=\"1\"><stop stop-color=\"#26140f\" stop-opacity=\".22\"/><stop offset=\".35\" stop-color=\"#fff3d6\" stop-opacity=\".18\"/><stop offset=\"1\" stop-color=\"#26140f\" stop-opacity=\".12\"/></linearGradient>",
    ),
    // The shadow of lying things.
    (
        'q',
        "<filter id=\"q\" x=\"-.2\" y=\"-.2\" width=\"1.5\" height=\"1.5\"><feDropShadow dx=\"16\" dy=\"20\" stdDeviation=\"11\" flood-color=\"#3a1c12\" flood-opacity=\".42\"/></filter>",
    ),
];

fn document(title: &str, shapes: &str, finish: Option<String>) -> String {
    let used = PAINTS.iter().filter(|(letter, _)| shapes.contains(&format!("url(#{letter})")));
    let mut defs: String = used.map(|(_, paint)| *paint).collect();
    if shapes.contains("url(#f)") {
        defs.push_str(&finish.unwrap_or_default());
    }
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 800\" role=\"img\"><title>{title}</title><defs>{defs}</defs>{shapes}</svg>"
    )
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
            assert!(is_balanced(svg) && svg.len() < 10 * 1024, "{} bytes", svg.len());
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
