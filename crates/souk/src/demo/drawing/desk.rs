//! Paper and what writes on it.
use super::{Motif, Pen, Scene::*};

pub(super) fn motif(name: &str) -> Option<Motif> {
    Some(match name {
        "notebook" => (Lie, notebook),
        "notebooks" => (Lie, notebooks),
        "pad" => (Lie, pad),
        "pencils" => (Lie, pencils),
        "pen" => (Lie, fountain_pen),
        "ballpoint" => (Lie, ballpoint),
        "ink" => (Stand, ink),
        "cards" => (Lie, cards),
        "rolls" => (Stand, rolls),
        "ruler" => (Lie, ruler),
        "sharpener" => (Stand, sharpener),
        _ => return None,
    })
}

/// A pencil of 440, its point to the right.
fn pencil(p: &mut Pen, paint: &str, place: &str) {
    p.group(place, |p| {
        p.fill(paint, "M0-13H380V13H0z").fill("white@3", "M0-13H380V-5H0z").fill("ink@2", "M0 5H380V13H0z");
        p.fill("oak+4", "M380-13L440 0L380 13q-10-6 0-9q-10-4 0-8z").fill(paint, "M422-4L440 0L422 4z");
    });
}

fn notebook(p: &mut Pen) {
    p.slab("main-2", [206, 120, 396, 566, 16])
        .bar("paper", [216, 124, 378, 552, 8])
        .line("ink@2", 2, "M590 140V668M584 140V668M578 140V668")
        .sheet(
            "main",
            "M216 112H560Q576 112 576 128V664Q576 680 560 680H216Q200 680 200 664V128Q200 112 216 112z",
        );
    p.fill("ink@2", "M200 112h44v568h-44z")
        .bar("side", [520, 108, 16, 576, 2])
        .bar("paper", [300, 200, 170, 110, 6])
        .line("ink@4", 4, "M322 236H448M322 262H430")
        .line("brick", 10, "M380 680v60l-10 16");
    pencil(p, "saffron", "translate(610 690) rotate(-98)");
}

fn notebooks(p: &mut Pen) {
    for (paint, place) in
        [("saffron", "rotate(16 400 700)"), ("side", "rotate(2 400 700)"), ("main", "rotate(-13 400 700)")]
    {
        p.group(place, |p| {
            p.bar("paper", [246, 178, 330, 462, 8])
                .slab(paint, [238, 170, 330, 462, 12])
                .fill("ink@1", "M238 170h30v462h-30z")
                .bar("paper", [320, 260, 166, 84, 4])
                .line("ink@5", 4, "M340 290H466M340 314H430")
                .line("paper", 4, "M253 330v26M253 450v26");
        });
    }
}

fn pad(p: &mut Pen) {
    p.slab("side", [216, 140, 370, 560, 14])
        .slab("paper", [222, 136, 360, 540, 6])
        .slab("main", [214, 130, 370, 230, 14]);
    let lines: Vec<String> = (410..660).step_by(36).map(|y| format!("M250 {y}H550")).collect();
    p.line("sky", 3, &lines.concat())
        .line("ink", 5, "M262 402q20-24 34 0t34-2t40 0t36 2t44-4M262 438q20-20 30 0t40-2t30 2")
        .bar("paper", [290, 220, 220, 80, 6])
        .line("ink@6", 5, "M316 250H484M316 274H430");
    for column in 0..13 {
        let x = 236 + column * 27;
        p.oval("ink", [x, 152, 6, 6]).line("steel-2", 6, &format!("M{x} 152q-10-44 4-44t4 36"));
    }
}

fn pencils(p: &mut Pen) {
    let paints = ["brick", "saffron", "mustard", "leaf", "forest", "teal", "sky", "indigo", "plum", "walnut"];
    let first = if p.roll(2) == 0 { 0 } else { 5 };
    p.slab("main", [150, 420, 500, 270, 16]).bar("main-2", [150, 420, 500, 22, 8]);
    for (row, x) in (178..640).step_by(50).enumerate() {
        let shift = p.roll(50);
        pencil(
            p,
            paints[(row * 3 + first) % paints.len()],
            &format!("translate({} {}) rotate(-90)", x, 560 - shift),
        );
    }
    p.slab("main", [150, 500, 500, 190, 16])
        .bar("side", [150, 560, 500, 66, 0])
        .bar("paper", [300, 570, 200, 46, 4])
        .line("ink@6", 5, "M326 586H474M326 602H430");
}

fn fountain_pen(p: &mut Pen) {
    p.bar("paper+4", [130, 170, 430, 520, 4]).line("indigo@6", 6, "M180 260q26-34 44 0t44-4t40 2t50 0t40-4t50 4M180 320q26-30 40 0t50-4t44 2t40 0M180 380q30-30 44 0t40-4t56 2t34 0t40 2");
    p.group("rotate(-42 400 400)", |p| {
        p.raw("<g transform=\"rotate(90 400 400)\">")
            .block("main", [362, 60, 76, 300, 36])
            .block("main-1", [358, 250, 84, 170, 10])
            .bar("side", [356, 404, 88, 16, 3])
            .bar("brass", [356, 244, 88, 12, 3])
            .block("ink", [372, 420, 56, 130, 12])
            .fill("brass+2", "M376 548H424L404 690Q400 700 396 690z")
            .fill("brass-2", "M400 548H424L404 690z")
            .line("ink", 3, "M400 690V610")
            .oval("ink", [400, 604, 6, 6]);
        p.block("side", [426, 96, 20, 160, 8]).raw("</g>");
    });
}

fn ballpoint(p: &mut Pen) {
    p.bar("paper+4", [130, 170, 430, 520, 4]).line(
        "indigo@6",
        6,
        "M180 260q26-34 44 0t44-4t40 2t50 0t40-4t50 4M180 330H470M180 380H430",
    );
    p.group("rotate(48 400 400)", |p| {
        p.block("steel", [386, 40, 28, 60, 10])
            .block("main", [366, 84, 68, 470, 26])
            .solid("main", "M366 520H434L412 650H388z");
        p.fill("steel", "M388 650H412L403 690H397z")
            .bar("side", [366, 300, 68, 10, 0])
            .bar("side", [366, 318, 68, 4, 0])
            .block("main-2", [424, 120, 18, 150, 8]);
        p.line("ink@2", 3, "M368 440H432M368 454H432M368 468H432M368 482H432M368 496H432");
    });
}

fn ink(p: &mut Pen) {
    p.shadow(400, 636, 170).fill("white@4", "M330 330H470V380L560 430Q580 444 580 470V612Q580 642 550 642H250Q220 642 220 612V470Q220 444 240 430L330 380z").fill("main", "M240 490H560V606Q560 624 544 624H256Q240 624 240 606z").oval("main+2", [400, 490, 160, 16]);
    p.line("white@8", 6, "M330 370V380L240 430Q220 444 220 470V612Q220 642 250 642H550Q580 642 580 612V470Q580 444 560 430L470 380V370").block("ink", [318, 276, 164, 96, 12]).line("white@2", 5, "M346 284V364M372 284V364M428 284V364M454 284V364");
    p.bar("paper", [310, 510, 180, 90, 4])
        .bar("main", [310, 510, 180, 12, 3])
        .line("main", 7, "M344 566q18-34 34 0t36-4t40 2")
        .line("white@8", 10, "M252 470V590");
}

fn cards(p: &mut Pen) {
    p.group("rotate(-12 400 400)", |p| {
        p.slab("side", [120, 280, 440, 300, 8]).fill("side-1", "M120 284L340 460L560 284z").fill("side+2", "M124 280H556L340 440z");
        p.raw("<path d=\"M120 284L340 460L560 284\" fill=\"none\" stroke=\"#26140f\" stroke-opacity=\".25\" stroke-width=\"4\"/>");
    });
    p.group("rotate(9 500 420)", |p| {
        p.slab("paper+6", [330, 150, 330, 470, 6]).bar("main@3", [352, 172, 286, 426, 3]).line(
            "main-3",
            7,
            "M495 560Q500 400 490 240",
        );
        for (y, turn) in [
            (500, 60),
            (490, -60),
            (430, 55),
            (420, -55),
            (360, 50),
            (350, -50),
            (290, 40),
            (284, -40),
            (250, 0),
        ] {
            p.group(&format!("translate(495 {y}) rotate({turn})"), |p| {
                p.fill("main-2", "M0 0Q-30-44 0-96Q30-44 0 0z").line("paper@6", 3, "M0-6V-80");
            });
        }
        p.oval("side", [450, 226, 11, 11]).oval("side", [540, 236, 11, 11]).oval("side", [492, 190, 11, 11]);
    });
}

fn rolls(p: &mut Pen) {
    for (place, paint, dots) in [
        ("translate(-140 -50) scale(.98)", "main", 0),
        ("translate(130 -20)", "side", 1),
        ("translate(0 40)", "brick", 2),
    ] {
        p.group(place, |p| {
            p.shadow(400, 636, 120)
                .solid(paint, "M270 556Q400 606 530 556V606Q400 670 270 606z")
                .disc(paint, [400, 556, 130, 48])
                .ring("ink@2", 3, [400, 556, 108, 39])
                .oval("paper", [400, 556, 82, 29])
                .oval("oak-2", [400, 562, 70, 22]);
            match dots {
                0 => {
                    p.line("paper@8", 7, "M290 590v30M330 602v34M370 608v36M410 610v36M450 606v36M490 596v34")
                }
                1 => p
                    .oval("paper@8", [310, 606, 9, 9])
                    .oval("paper@8", [360, 620, 9, 9])
                    .oval("paper@8", [412, 624, 9, 9])
                    .oval("paper@8", [464, 616, 9, 9]),
                _ => p.line("paper@8", 5, "M272 590Q400 650 528 590M272 604Q400 664 528 604"),
            };
        });
    }
}

fn ruler(p: &mut Pen) {
    p.group("rotate(-34 400 400)", |p| {
        p.slab("main", [30, 330, 740, 130, 8])
            .line("main-2@5", 3, "M40 370C300 350 500 400 760 380M40 430C300 450 500 410 760 436")
            .bar("side", [30, 326, 740, 16, 3]);
        let marks: Vec<String> = (0..57)
            .map(|step| {
                format!(
                    "M{} 344v{}",
                    60 + step * 12,
                    if step % 10 == 0 {
                        46
                    } else if step % 5 == 0 {
                        34
                    } else {
                        20
                    }
                )
            })
            .collect();
        p.line("ink", 3, &marks.concat()).oval("ink@6", [736, 420, 14, 14]);
    });
    pencil(p, "brick", "translate(300 680) rotate(-34)");
}

fn sharpener(p: &mut Pen) {
    p.group("translate(400 520) rotate(-14)", |p| {
        p.bar("forest", [-340, -30, 300, 60, 6])
            .bar("white@3", [-340, -30, 300, 18, 6])
            .bar("ink@2", [-340, 12, 300, 18, 6])
            .bar("brass", [-340, -30, 30, 60, 3])
            .fill("oak+4", "M-40-30L70-4L70 4L-40 30z");
    });
    p.shadow(440, 640, 160)
        .fill("main", "M300 470L560 420V590L300 640z")
        .raw("<path d=\"M300 470L560 420V590L300 640z\" fill=\"url(#u)\"/>")
        .fill("main+4", "M300 470L350 430L600 384L560 420z")
        .fill("main-3", "M560 420L600 384V560L560 590z");
    p.fill("steel+3", "M330 446L556 404L580 424L344 470z")
        .disc("steel-2", [452, 436, 20, 12])
        .line("ink", 4, "M440 438l24-5")
        .line("side", 9, "M560 520C680 520 640 640 720 660S760 700 700 720");
    for (x, y, turn) in [(200, 660, 0), (260, 690, 60), (170, 710, 120)] {
        p.group(&format!("translate({x} {y}) rotate({turn})"), |p| {
            p.fill("oak+3", "M-40 10Q0-40 40 10Q0-14-40 10z").line("forest", 5, "M-40 10Q0-40 40 10");
        });
    }
}
