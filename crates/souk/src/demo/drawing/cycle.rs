//! Bicycle parts.
use std::f64::consts::TAU;

use super::{Motif, Pen, Scene::*};

pub(super) fn motif(name: &str) -> Option<Motif> {
    Some(match name {
        "wheel" => (Lie, wheel),
        "tyre" => (Lie, tyre),
        "saddle" => (Stand, saddle),
        "grips" => (Lie, grips),
        "tape" => (Stand, tape),
        "bar" => (Lie, handlebar),
        "bell" => (Stand, bell),
        "bikelight" => (Stand, bike_light),
        "pannier" => (Stand, pannier),
        "roll" => (Lie, tool_roll),
        "basket" => (Stand, basket),
        "chainring" => (Lie, chainring),
        "chain" => (Lie, chain),
        "pedal" => (Lie, pedal),
        "pump" => (Lie, pump),
        "multitool" => (Lie, multitool),
        "bidon" => (Stand, bidon),
        _ => return None,
    })
}

/// The point at a share of a turn on a circle around the middle of the picture.
fn around(turn: f64, radius: f64) -> (f64, f64) {
    let place = |part: f64| ((400.0 + radius * part) * 10.0).round() / 10.0;
    (place((turn * TAU).cos()), place((turn * TAU).sin()))
}

fn wheel(p: &mut Pen) {
    p.ring("ink", 34, [400, 400, 282, 282])
        .ring("ink+3", 4, [400, 400, 292, 292])
        .ring("main", 16, [400, 400, 254, 254])
        .ring("main+4", 4, [400, 400, 258, 258]);
    let mut spokes = String::new();
    for spoke in 0..28 {
        let turn = f64::from(spoke) / 28.0;
        let ((x, y), (u, v)) =
            (around(turn, 246.0), around(turn + if spoke % 2 == 0 { 0.13 } else { -0.13 }, 34.0));
        spokes.push_str(&format!("M{x} {y}L{u} {v}"));
    }
    p.line("steel-2", 3, &spokes)
        .disc("steel-2", [400, 400, 44, 44])
        .disc("side", [400, 400, 30, 30])
        .disc("steel", [400, 400, 13, 13])
        .bar("brass", [392, 136, 16, 30, 4]);
}

fn tyre(p: &mut Pen) {
    p.ring("main", 74, [400, 400, 238, 238]);
    p.raw("<circle cx=\"400\" cy=\"400\" r=\"252\" fill=\"none\" stroke=\"#26140f\" stroke-opacity=\".4\" stroke-width=\"30\" stroke-dasharray=\"13 11\" stroke-linecap=\"butt\"/>");
    p.ring("side", 7, [400, 400, 214, 214])
        .ring("main+3@6", 5, [400, 400, 270, 270])
        .ring("ink@4", 6, [400, 400, 203, 203])
        .line("white@3", 12, "M170 340A238 238 0 0 1 340 170");
}

fn saddle(p: &mut Pen) {
    p.shadow(400, 648, 120)
        .block("steel", [384, 500, 40, 148, 6])
        .line("steel-2", 13, "M240 470C300 560 520 560 600 440")
        .line("steel-3", 9, "M250 440l-6 64l26 8l-24 14l28 8");
    p.block("ink", [366, 506, 76, 34, 8]).solid("main", "M176 366C180 330 230 318 286 332C380 358 480 372 610 372Q660 374 656 400Q650 424 600 420C520 420 470 440 430 462C380 492 300 506 236 492C180 478 172 420 176 366z");
    p.line("main-3", 5, "M200 440C260 480 350 470 430 424C480 400 560 398 640 402").line(
        "white@4",
        12,
        "M214 356q40-14 90 6t130 26",
    );
    for (x, y) in [(196, 384), (206, 420), (226, 452), (628, 396)] {
        p.disc("brass", [x, y, 9, 9]);
    }
}

fn grips(p: &mut Pen) {
    for place in ["rotate(-28 400 400) translate(0 -90)", "rotate(-28 400 400) translate(0 90)"] {
        p.group(place, |p| {
            p.slab("main", [160, 345, 480, 110, 52])
                .bar("side", [150, 338, 34, 124, 12])
                .oval("steel", [636, 400, 12, 40])
                .line("white@4", 10, "M210 372H600");
            for dot in 0..22 {
                let (x, y) = (210 + dot * 19, 366 + (dot * 37) % 74);
                p.oval(if dot % 3 == 0 { "main-4" } else { "main-2" }, [x, y, 5, 3]);
            }
        });
    }
}

fn one_roll(p: &mut Pen, paint: &str, place: &str) {
    p.group(place, |p| {
        p.shadow(400, 636, 130)
            .solid(paint, "M260 540Q400 590 540 540V600Q400 668 260 600z")
            .disc(paint, [400, 540, 140, 52]);
        p.ring("ink@2", 3, [400, 540, 118, 43])
            .ring("ink@2", 3, [400, 540, 98, 35])
            .oval("oat", [400, 540, 78, 27])
            .oval("soil", [400, 544, 62, 20]);
    });
}

fn tape(p: &mut Pen) {
    one_roll(p, "main", "translate(-110 -40)");
    one_roll(p, "main", "translate(120 30)");
    p.solid("ink", "M262 420h44v60h-44z")
        .oval("steel", [284, 420, 22, 8])
        .solid("ink", "M330 440h44v60h-44z")
        .oval("steel", [352, 440, 22, 8]);
}

fn handlebar(p: &mut Pen) {
    p.line("main-2", 36, "M170 560C120 300 250 330 330 320Q400 300 470 320C550 330 680 300 630 560").line(
        "main+3",
        12,
        "M166 540C128 310 250 322 330 312Q400 292 470 312C550 322 660 310 626 540",
    );
    p.line("side", 54, "M176 540Q166 480 166 450M624 540Q634 480 634 450")
        .line("side-2", 5, "M152 470h30M154 500h32M618 470h30M616 500h30")
        .slab("main", [352, 280, 96, 66, 16])
        .slab("main-1", [374, 330, 52, 200, 12])
        .oval("ink", [400, 312, 13, 13]);
}

fn bell(p: &mut Pen) {
    p.shadow(400, 640, 170)
        .block("steel-3", [352, 560, 96, 80, 10])
        .oval("steel-3", [400, 560, 170, 34])
        .line("steel", 22, "M540 560Q620 560 650 510")
        .oval("ink", [654, 502, 20, 20]);
    p.solid("main", "M216 544C206 300 594 300 584 544Q400 606 216 544z")
        .solid("main+1", "M400 318a28 22 0 1 1-1 0z");
    p.line("side", 12, "M222 506Q400 562 578 506").line("white@6", 14, "M262 470q16-80 80-114");
}

fn bike_light(p: &mut Pen) {
    p.fill("side@2", "M260 340L20 210V690L260 560z").fill("side@2", "M260 380L20 320V590L260 520z");
    p.shadow(430, 640, 130).block("steel-3", [400, 560, 66, 80, 10]);
    p.solid("main", "M270 320H470C580 320 620 390 620 450C620 520 580 580 470 580H270z");
    p.oval("steel", [270, 450, 62, 132])
        .oval("side", [266, 450, 50, 116])
        .oval("white@8", [256, 436, 24, 70]);
    p.bar("side", [440, 296, 76, 30, 12]).line("ink@3", 6, "M360 324V576M384 324V576");
    p.line("white@5", 12, "M420 360h80q40 6 60 34");
}

fn pannier(p: &mut Pen) {
    p.line("side-1", 20, "M320 250Q400 170 480 250")
        .shadow(400, 636, 190)
        .body("main", "M222 300Q400 280 578 300L604 610Q604 642 570 642H230Q196 642 196 610z");
    p.solid("main-1", "M206 300Q206 240 262 240H538Q594 240 594 300L600 424Q400 470 200 424z").line(
        "main-4",
        4,
        "M212 410Q400 452 588 410",
    );
    for x in [270, 490] {
        p.bar("side", [x, 250, 40, 290, 6]).bar("ink@2", [x, 440, 40, 12, 2]).ring(
            "brass",
            8,
            [x + 20, 500, 24, 18],
        );
    }
    p.block("main-1", [300, 540, 200, 74, 12])
        .oval("paper@9", [400, 350, 32, 32])
        .oval("brick", [400, 350, 16, 16]);
}

fn tool_roll(p: &mut Pen) {
    p.slab("main", [130, 250, 540, 330, 20])
        .line("steel", 22, "M220 210V500M560 240V500")
        .line("steel-2", 34, "M216 190l10 30M350 220V500")
        .line("steel", 10, "M470 180V420")
        .bar("brick", [454, 330, 32, 170, 14])
        .disc("steel-2", [350, 206, 34, 34])
        .oval("main", [350, 196, 14, 20]);
    p.slab("main-1", [130, 400, 540, 180, 20])
        .line("side", 5, "M280 404V576M410 404V576M520 404V576M140 418H660")
        .bar("side", [600, 300, 150, 34, 8])
        .ring("brass", 8, [716, 317, 22, 26]);
}

fn basket(p: &mut Pen) {
    p.oval("forest", [320, 320, 70, 60])
        .oval("brick", [470, 320, 60, 56])
        .oval("brick+1", [400, 300, 54, 54])
        .line("leaf", 8, "M400 250q10-30 34-36")
        .shadow(400, 636, 180);
    p.solid("oak", "M196 350Q400 400 604 350L556 612Q550 642 520 642H280Q250 642 244 612z");
    for row in 0..6 {
        let (y, x) = (400 + row * 40, 206 + row * 9);
        p.raw(&format!("<path d=\"M{x} {y}Q400 {} {} {y}\" fill=\"none\" stroke=\"#704a32\" stroke-width=\"13\" stroke-opacity=\".7\" stroke-dasharray=\"22 14\" stroke-linecap=\"butt\" stroke-dashoffset=\"{}\"/>", y + 34, 800 - x, row % 2 * 18));
    }
    p.line("oak-2", 22, "M194 350Q400 404 606 350")
        .line("oak+2", 7, "M196 344Q400 396 604 344")
        .bar("side", [280, 372, 30, 120, 6])
        .bar("side", [490, 372, 30, 120, 6])
        .ring("brass", 6, [295, 456, 18, 14])
        .ring("brass", 6, [505, 456, 18, 14]);
}

fn chainring(p: &mut Pen) {
    let mut edge = String::new();
    for tooth in 0..36 {
        let turn = f64::from(tooth) / 36.0;
        for (shift, radius) in [(0.0, 240.0), (0.009, 272.0), (0.018, 272.0)] {
            let (x, y) = around(turn + shift, radius);
            edge.push_str(&format!("{}{x} {y}", if edge.is_empty() { 'M' } else { 'L' }));
        }
    }
    p.sheet("main", &format!("{edge}zM400 240a160 160 0 1 0 1 0z"))
        .ring("main-2", 6, [400, 400, 214, 214])
        .ring("main+3", 10, [400, 400, 166, 166]);
    let mut arms = String::new();
    for arm in 0..5 {
        let ((x, y), (u, v)) =
            (around(f64::from(arm) / 5.0 - 0.05, 170.0), around(f64::from(arm) / 5.0 - 0.05, 60.0));
        arms.push_str(&format!("M{u} {v}L{x} {y}"));
    }
    p.line("side", 46, &arms)
        .line("side+2@5", 10, &arms)
        .disc("side", [400, 400, 92, 92])
        .disc("steel", [400, 400, 40, 40])
        .oval("ink", [400, 400, 20, 20]);
    for arm in 0..5 {
        let (x, y) = around(f64::from(arm) / 5.0 - 0.05, 176.0);
        p.oval("ink", [x, y, 14.0, 14.0]).oval("brass", [x, y, 8.0, 8.0]);
    }
}

fn chain(p: &mut Pen) {
    for radius in [236, 176] {
        p.raw(&format!("<circle cx=\"400\" cy=\"400\" r=\"{radius}\" fill=\"none\" stroke=\"#5b6468\" stroke-width=\"20\"/><circle cx=\"400\" cy=\"400\" r=\"{radius}\" fill=\"none\" stroke=\"#c9cfcc\" stroke-width=\"34\" stroke-dasharray=\"26 14\" stroke-linecap=\"butt\"/><circle cx=\"400\" cy=\"400\" r=\"{radius}\" fill=\"none\" stroke=\"#4a4442\" stroke-width=\"9\" stroke-dasharray=\"1 19\"/>"));
    }
    p.raw("<path d=\"M226 510Q140 620 320 660\" fill=\"none\" stroke=\"#5b6468\" stroke-width=\"20\"/><path d=\"M226 510Q140 620 320 660\" fill=\"none\" stroke=\"#c9cfcc\" stroke-width=\"34\" stroke-dasharray=\"26 14\" stroke-linecap=\"butt\"/>").disc("brass", [400, 400, 46, 46]).oval("ink@5", [400, 400, 20, 20]);
}

fn pedal(p: &mut Pen) {
    p.slab("steel-2", [560, 378, 150, 44, 10]).bar("steel+3", [670, 378, 40, 44, 6]).sheet("main", "M190 230H520Q570 230 570 280V520Q570 570 520 570H190Q130 570 130 500V300Q130 230 190 230zM220 310V490H300V310zM410 310V490H490V310z");
    p.slab("main-1", [110, 372, 470, 56, 20]).line("ink@3", 5, "M150 300V500M545 300V500");
    for (x, y) in [
        (190, 262),
        (270, 262),
        (350, 262),
        (430, 262),
        (510, 262),
        (190, 540),
        (270, 540),
        (350, 540),
        (430, 540),
        (510, 540),
    ] {
        p.oval("ink@4", [x + 3, y + 4, 11, 11]).oval("brass", [x, y, 9, 9]);
    }
}

fn pump(p: &mut Pen) {
    p.group("rotate(-38 400 400)", |p| {
        p.raw("<g transform=\"rotate(90 400 400)\">")
            .block("main", [366, 120, 68, 480, 20])
            .block("side", [372, 560, 56, 60, 4])
            .block("ink", [362, 610, 76, 120, 22])
            .block("side", [358, 110, 84, 54, 12])
            .block("ink", [384, 66, 32, 54, 10])
            .bar("paper@9", [366, 300, 68, 12, 0])
            .bar("paper@9", [366, 324, 68, 6, 0])
            .raw("</g>");
    });
}

fn multitool(p: &mut Pen) {
    for (turn, long) in [(-64, 230), (-34, 260), (-6, 270), (24, 240), (52, 200)] {
        p.group(&format!("translate(400 520) rotate({turn})"), |p| {
            p.slab("steel", [-15, -long, 30, long, 6])
                .slab("steel-2", [-20, 10 - long / 2, 40, long / 2, 8])
                .fill("ink@4", &format!("M-5-{long}h10v26h-10z"));
        });
    }
    p.slab("main", [170, 470, 460, 104, 50])
        .line("white@5", 8, "M220 496H560")
        .disc("steel", [226, 522, 30, 30])
        .disc("steel", [574, 522, 30, 30])
        .line("ink", 7, "M210 522h32M558 522h32")
        .bar("side", [340, 506, 120, 32, 14]);
}

fn bidon(p: &mut Pen) {
    p.shadow(400, 636, 110).body("main", "M296 330Q300 290 340 284H460Q500 290 504 330V440Q492 456 504 472V612Q504 642 474 642H326Q296 642 296 612V472Q308 456 296 440z");
    p.block("ink", [330, 234, 140, 56, 14])
        .block("side", [366, 178, 68, 62, 14])
        .block("ink", [378, 160, 44, 24, 8])
        .line("white@6", 12, "M324 350V420M324 490V600")
        .fill("paper@8", "M380 520h90v10h-90zM380 542h90v6h-90z")
        .ring("paper@8", 7, [424, 384, 30, 30])
        .oval("paper@8", [424, 384, 8, 8]);
}
