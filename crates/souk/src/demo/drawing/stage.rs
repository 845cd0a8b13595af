//! Where the goods are shown: wall, table, light, and the paints that shapes share.
use super::Scene;
use super::colour::Colour;

/// Wall, table and the window's light; the wall keeps away from the subject's colour.
pub(super) fn stage(scene: Scene, main: Colour, seed: u64) -> String {
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
pub(super) fn pattern(finish: &str, side: Colour) -> String {
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
const PAINTS: [(char, &str); 10] = [
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
    // Light on cloth.
    (
        's',
        "<linearGradient id=\"s\" x2=\".12\" y2=\"1\"><stop stop-color=\"#fff3d6\" stop-opacity=\".26\"/><stop offset=\".4\" stop-color=\"#fff3d6\" stop-opacity=\".06\"/><stop offset=\"1\" stop-color=\"#26140f\" stop-opacity=\".38\"/></linearGradient>",
    ),
    (
        'g',
        "<radialGradient id=\"g\"><stop offset=\".2\" stop-color=\"#ffd98a\" stop-opacity=\".75\"/><stop offset=\"1\" stop-color=\"#ffd98a\" stop-opacity=\"0\"/></radialGradient>",
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

/// The whole picture: title, the paints it uses, shapes.
pub(super) fn document(title: &str, shapes: &str, finish: Option<String>) -> String {
    let used = PAINTS.iter().filter(|(letter, _)| shapes.contains(&format!("url(#{letter})")));
    let mut defs: String = used.map(|(_, paint)| *paint).collect();
    if shapes.contains("url(#f)") {
        defs.push_str(&finish.unwrap_or_default());
    }
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 800\" role=\"img\"><title>{title}</title><defs>{defs}</defs><g fill=\"none\" stroke-linecap=\"round\" stroke-linejoin=\"round\">{shapes}</g></svg>"
    )
}
