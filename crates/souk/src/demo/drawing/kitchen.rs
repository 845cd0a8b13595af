//! Knives, boards, pans and tools.
use super::{Motif, Pen, Scene::*};

pub(super) fn motif(name: &str) -> Option<Motif> {
    Some(match name {
        "knife" => (Lie, knife),
        "paring" => (Lie, paring),
        "folder" => (Lie, folder),
        "knives" => (Lie, knives),
        "stone" => (Stand, stone),
        "board" => (Lie, board),
        "paddle" => (Lie, paddle),
        "pan" => (Lie, pan),
        "saucepan" => (Stand, saucepan),
        "casserole" => (Stand, casserole),
        "spoons" => (Lie, spoons),
        "spatula" => (Lie, spatula),
        "whisk" => (Lie, whisk),
        "mortar" => (Stand, mortar),
        "mill" => (Stand, mill),
        "pin" => (Lie, rolling_pin),
        "grater" => (Stand, grater),
        "scale" => (Stand, scale),
        "oilcan" => (Stand, oil_can),
        "spool" => (Stand, spool),
        "pastrybrush" => (Lie, pastry_brush),
        _ => return None,
    })
}

fn one_knife(p: &mut Pen, handle: &str, place: &str) {
    p.group(place, |p| {
        p.sheet("steel+2", "M40 372Q60 352 100 350H500V460Q250 470 40 372z")
            .fill("steel-1", "M44 374Q250 462 500 446V460Q250 470 40 372z")
            .line("white@7", 4, "M100 360H490");
        p.slab("steel-1", [494, 346, 34, 96, 6])
            .sheet(handle, "M526 350Q640 338 720 356Q752 366 748 400Q744 436 716 434Q640 424 526 436z");
        for x in [566, 628, 690] {
            p.disc("brass", [x, 392, 9, 9]);
        }
    });
}

fn knife(p: &mut Pen) {
    one_knife(p, "main", "rotate(-40 400 400)");
}

fn herb(p: &mut Pen, place: &str) {
    p.group(place, |p| {
        p.line("leaf-2", 5, "M0 0Q40-60 30-140");
        for (x, y, turn) in
            [(10, -20, -70), (22, -40, 60), (30, -70, -60), (34, -86, 50), (32, -120, -30), (30, -140, 20)]
        {
            p.group(&format!("translate({x} {y}) rotate({turn})"), |p| {
                p.fill("leaf", "M0 0Q-16-24 0-48Q16-24 0 0z");
            });
        }
    });
}

fn paring(p: &mut Pen) {
    one_knife(p, "main", "translate(70 210) rotate(-34 330 330) scale(.78)");
    p.disc("brick", [250, 250, 84, 80])
        .fill("leaf", "M250 196l-40-22 34 4-6-30 22 26 26-22-8 30 32 0z")
        .oval("white@5", [222, 224, 18, 11]);
}

fn folder(p: &mut Pen) {
    p.group("rotate(-30 400 400)", |p| {
        p.sheet("steel+2", "M60 390Q120 340 380 350V430Q140 440 60 390z")
            .line("steel-3", 4, "M150 364H350")
            .sheet("main", "M366 344Q560 320 690 376Q740 400 714 436Q690 460 640 444Q500 410 366 440z");
        p.slab("brass", [356, 342, 40, 100, 8])
            .disc("brass", [470, 390, 9, 9])
            .disc("brass", [620, 404, 9, 9])
            .line("steel-1", 11, "M480 440q30 40 60 6t60 20t40 30");
    });
    herb(p, "translate(250 250) rotate(40)");
}

fn knives(p: &mut Pen) {
    p.slab("oak", [100, 120, 600, 560, 16]).bar("oak-2", [124, 144, 552, 512, 8]);
    for (row, handle) in ["walnut", "oak", "horn", "olive", "brick", "forest"].into_iter().enumerate() {
        p.group(&format!("translate(0 {})", 84 * row), |p| {
            p.fill("steel+3", "M146 180Q160 170 190 170H450V208Q250 220 146 180z")
                .fill("steel-1", "M146 180Q250 214 450 200V208Q250 220 146 180z");
            p.fill(handle, "M446 168Q560 156 640 172Q656 186 640 208Q560 204 446 212z")
                .fill("white@2", "M446 168Q560 156 640 172L642 180Q560 168 446 178z");
            p.oval("brass", [490, 190, 6, 6]).oval("brass", [600, 190, 6, 6]);
        });
    }
}

fn stone(p: &mut Pen) {
    p.shadow(400, 640, 280)
        .fill("side", "M150 560H600L660 520V580L600 640H150z")
        .raw("<path d=\"M150 560H600V640H150z\" fill=\"url(#u)\"/>")
        .fill("side-3", "M600 560L660 520V590L600 640z");
    p.fill("main", "M180 510H570V566H180z")
        .fill("main+4", "M180 476H570V512H180z")
        .fill("main-3", "M570 476L630 440V530L570 566z")
        .fill("main+6", "M180 476L250 440H630L570 476z");
    p.group("rotate(-13 400 420)", |p| {
        p.fill("steel+3", "M150 400H500V440Q280 452 150 400z")
            .fill("steel-1", "M156 402Q290 448 500 432V440Q280 452 150 400z")
            .slab("walnut", [498, 396, 180, 48, 18]);
    });
}

fn grain(p: &mut Pen, (x, to): (i32, i32), (y, down): (i32, i32)) {
    let mut lines = String::new();
    let mut at = y + 30;
    while at < down - 16 {
        let (a, b) = (p.sway() * 14.0, p.sway() * 14.0);
        lines.push_str(&format!(
            "M{x} {at}C{} {:.0} {} {:.0} {to} {at}",
            x + 150,
            f64::from(at) + a,
            to - 150,
            f64::from(at) + b
        ));
        at += 34;
    }
    p.line("main-2@6", 4, &lines);
}

fn board(p: &mut Pen) {
    p.slab("main-1", [96, 200, 608, 412, 34]).slab("main", [96, 190, 608, 408, 34]);
    if p.is("stripe") {
        for row in 0..7 {
            p.bar("side", [140, 234 + row * 48, 520, 10, 5]);
        }
    }
    grain(p, (112, 688), (196, 592));
    p.bar("ink@6", [600, 360, 70, 28, 14]);
    p.disc("brick", [250, 470, 60, 57])
        .fill("leaf", "M250 430l-28-16 24 3-4-21 16 18 18-15-6 21 23 0z")
        .disc("brick+1", [340, 510, 52, 50])
        .oval("white@5", [232, 450, 12, 8]);
    herb(p, "translate(180 420) rotate(50)");
}

fn paddle(p: &mut Pen) {
    p.group("rotate(24 400 400)", |p| {
        p.sheet("main", "M366 70Q400 40 434 70V214Q440 250 520 262Q580 280 580 340V640Q580 730 500 730H300Q220 730 220 640V340Q220 280 280 262Q360 250 366 214z").oval("ink@6", [400, 98, 15, 15]);
        grain(p, (236, 566), (290, 720));
    });
    p.fill("saffron+3", "M300 420L450 380L470 500z")
        .fill("saffron", "M300 420L470 500V530L300 450z")
        .oval("saffron-1", [410, 440, 13, 9])
        .oval("saffron-1", [448, 470, 9, 6]);
    for (x, y) in [(340, 570), (380, 590), (350, 612), (398, 560)] {
        p.disc("plum", [x, y, 24, 24]).oval("white@5", [x - 8, y - 8, 6, 5]);
    }
}

fn pan(p: &mut Pen) {
    p.group("rotate(-32 330 420)", |p| {
        p.slab("main-1", [540, 392, 250, 56, 26])
            .oval("paper@5", [762, 420, 11, 11])
            .disc("steel", [566, 408, 7, 7])
            .disc("steel", [566, 432, 7, 7]);
    });
    p.disc("main+1", [330, 440, 250, 250]).disc("main-2", [330, 440, 226, 226]).ring(
        "main+3@6",
        4,
        [330, 440, 200, 200],
    );
    p.fill("white", "M250 390C290 330 390 350 420 400C460 440 440 520 380 540C320 560 240 540 226 480C220 440 230 420 250 390z").disc("saffron", [334, 446, 54, 52]).oval("white@7", [316, 426, 14, 10]);
    p.line("white@4", 9, "M120 400A220 220 0 0 1 250 236");
}

fn saucepan(p: &mut Pen) {
    p.group("translate(20 86) scale(.865)", pot_with_handle);
}

fn pot_with_handle(p: &mut Pen) {
    p.shadow(340, 640, 200)
        .line("steel-3", 26, "M520 430H660")
        .line("side", 34, "M620 430L770 410")
        .oval("ink@6", [764, 411, 7, 7]);
    p.body("main", "M150 390Q340 450 530 390V590Q530 642 480 642H200Q150 642 150 590z")
        .oval("main+4", [340, 390, 191, 48])
        .oval("side", [340, 394, 176, 40])
        .oval("ink@3", [340, 404, 164, 31])
        .oval("saffron-1", [340, 410, 146, 24]);
    p.line("white@6", 12, "M184 450V580").disc("steel", [512, 424, 9, 9]).line(
        "main-2@6",
        5,
        "M152 420Q340 480 528 420",
    );
}

fn casserole(p: &mut Pen) {
    p.shadow(400, 636, 260).line(
        "main-2",
        32,
        "M180 440H120Q96 440 98 466T124 490H184M620 440H680Q704 440 702 466T676 490H616",
    );
    p.solid("main", "M164 410H636V560Q636 642 560 642H240Q164 642 164 560z")
        .solid("main", "M150 400C160 300 640 300 650 400Q650 424 630 424H170Q150 424 150 400z");
    p.line("main-3", 5, "M156 424H644")
        .line("main+2", 5, "M160 396Q400 416 640 396")
        .solid("brass", "M400 274a36 24 0 1 1-1 0z")
        .bar("brass-2", [388, 316, 24, 16, 3])
        .line("white@6", 12, "M206 460V560M230 370q50-28 120-32");
}

fn spoons(p: &mut Pen) {
    for (place, paint, hollow) in [
        ("rotate(-16 400 600) translate(-110 0)", "main-1", true),
        ("translate(0 0)", "main", false),
        ("rotate(16 400 600) translate(110 0)", "main+1", true),
    ] {
        p.group(place, |p| {
            p.sheet(paint, "M388 320H412L424 700Q424 724 400 724T376 700z");
            if hollow {
                p.disc(paint, [400, 220, 68, 106]).oval("main-3@6", [400, 216, 48, 80]).line(
                    "white@5",
                    6,
                    "M364 190q6-30 24-44",
                );
            } else {
                p.sheet(paint, "M336 120Q400 90 464 120L448 290Q430 336 412 340H388Q370 336 352 290z")
                    .bar("main-4@7", [380, 150, 10, 130, 5])
                    .bar("main-4@7", [410, 150, 10, 130, 5]);
            }
        });
    }
}

fn spatula(p: &mut Pen) {
    p.group("rotate(32 400 400)", |p| {
        p.sheet("main", "M322 90Q400 60 478 90L452 300Q434 350 422 400L430 690Q430 730 400 730T370 690L378 400Q366 350 348 300z");
        p.line("main-2@6", 4, "M350 110Q380 300 392 700M440 104Q420 300 408 690M396 90Q398 240 400 340").oval("ink@6", [400, 696, 11, 11]);
    });
    herb(p, "translate(230 620) rotate(-30)");
}

fn whisk(p: &mut Pen) {
    p.group("rotate(34 400 400)", |p| {
        for wide in [150, 112, 70, 26] {
            p.line(
                "steel-2",
                8,
                &format!("M392 500C{} 380 {} 80 400 80S{} 380 408 500", 400 - wide, 400 - wide, 400 + wide),
            );
            p.line("steel+3", 3, &format!("M390 500C{} 380 {} 78 400 78", 398 - wide, 398 - wide));
        }
        p.block("steel", [374, 480, 52, 60, 8])
            .solid("main", "M372 536H428Q444 620 424 720Q400 744 376 720Q356 620 372 536z");
    });
}

fn mortar(p: &mut Pen) {
    p.group("rotate(24 480 300)", |p| {
        p.solid("main+1", "M450 120Q480 90 510 120L520 420H440z");
    });
    p.shadow(400, 636, 200)
        .solid("main-1", "M300 580H500L530 642H270z")
        .solid("main", "M190 390Q400 450 610 390C610 520 540 600 400 600S190 520 190 390z");
    p.oval("main+3", [400, 390, 210, 48])
        .oval("main-4", [400, 394, 176, 36])
        .oval("leaf", [390, 404, 140, 24])
        .oval("leaf+2", [360, 400, 40, 9]);
    p.group("rotate(24 480 300)", |p| {
        p.solid("main+1", "M450 120Q480 90 510 120L520 380Q480 400 440 380z");
    });
    for _ in 0..26 {
        let (x, y) = (400.0 + p.sway() * 150.0, 500.0 + p.sway() * 50.0);
        p.oval("white@4", [x.round(), y.round(), 4.0, 3.0]);
    }
}

fn mill(p: &mut Pen) {
    p.shadow(400, 636, 100).solid("main", "M330 640C330 560 372 540 372 460C372 420 340 400 340 360H460C460 400 428 420 428 460C428 540 470 560 470 640Q400 656 330 640z");
    p.bar("steel", [336, 346, 128, 18, 4])
        .solid("main", "M340 346C330 300 370 280 366 250H434C430 280 470 300 460 346z")
        .solid("main+1", "M400 180a46 40 0 1 1-1 0z")
        .solid("steel", "M400 150a17 17 0 1 1-1 0z");
    p.line("main-3", 5, "M334 600H466M368 470H432").line("white@5", 8, "M350 610q8-50 34-80");
    for (x, y) in [(240, 680), (276, 700), (214, 706), (254, 722), (300, 676)] {
        p.oval("ink@3", [x + 4, y + 5, 10, 7]).disc("ink", [x, y, 9, 9]);
    }
}

fn rolling_pin(p: &mut Pen) {
    p.oval("paper+8@9", [360, 470, 260, 200]).oval("paper+3", [370, 480, 210, 160]);
    p.group("rotate(-30 400 400)", |p| {
        p.raw("<g transform=\"rotate(90 400 400)\">").solid("main", "M400 40Q432 40 436 120Q456 400 436 680Q432 760 400 760T364 680Q344 400 364 120Q368 40 400 40z").line("main-2@6", 4, "M384 100Q372 400 386 700M412 90Q420 400 410 710").raw("</g>");
    });
}

fn grater(p: &mut Pen) {
    p.line("side", 26, "M340 250C340 150 460 150 460 250")
        .shadow(410, 640, 150)
        .solid("main", "M316 244H486L540 642H262z")
        .fill("main-3", "M486 244L530 260L590 610L540 642z")
        .bar("side", [304, 236, 194, 24, 10]);
    for row in 0..7 {
        for column in 0..5 {
            let (x, y) = (326 + column * 38 - row * 4 + row % 2 * 14, 310 + row * 44);
            p.fill("ink@6", &format!("M{x} {y}q12-14 24 0q-12 8-24 0z"));
        }
    }
    p.line("white@6", 8, "M310 300L276 600");
}

fn scale(p: &mut Pen) {
    p.shadow(400, 636, 220)
        .solid("main", "M250 480H550Q580 600 620 642H180Q220 600 250 480z")
        .block("main-1", [382, 350, 36, 140, 8])
        .line("side-2", 16, "M180 370Q400 320 620 370")
        .oval("side", [400, 346, 18, 18]);
    p.solid("side", "M110 350H300C290 412 240 420 205 420S120 412 110 350z")
        .oval("side+3", [205, 350, 96, 17])
        .bar("side", [520, 350, 160, 16, 6]);
    for (x, w, h) in [(536, 46, 62), (590, 36, 46), (634, 26, 30)] {
        p.block("brass", [x, 350 - h, w, h, 5]).block("brass-1", [x + w / 2 - 7, 338 - h, 14, 14, 4]);
    }
    p.disc("brick", [180, 330, 40, 38])
        .disc("brick+1", [236, 334, 36, 34])
        .disc("paper", [400, 560, 52, 52])
        .line("ink", 5, "M400 560L424 528")
        .oval("side", [400, 560, 7, 7]);
}

fn oil_can(p: &mut Pen) {
    p.shadow(400, 636, 130)
        .line("main-1", 20, "M430 300C470 220 560 240 620 180")
        .line("main+4", 6, "M428 294C466 214 556 234 614 176")
        .line("main-2", 20, "M300 380C190 360 200 560 286 560");
    p.body("main", "M356 290H444Q452 360 510 420Q520 430 520 460V612Q520 642 490 642H310Q280 642 280 612V460Q280 430 290 420Q348 360 356 290z").block("main-1", [348, 270, 104, 28, 8]);
    p.bar("paper", [330, 480, 140, 110, 6]).line("leaf", 5, "M360 560Q400 540 436 500").fill("moss", "M380 550q-24-20-10-42q22 16 10 42zM404 534q-10-30 10-42q14 26-10 42zM410 540q20 16 40 0q-14-18-40 0z").line("white@6", 10, "M308 460V600");
}

fn spool(p: &mut Pen) {
    p.shadow(400, 636, 150)
        .disc("oak", [400, 622, 150, 32])
        .solid("main", "M290 320H510V610Q400 640 290 610z");
    let turns: Vec<String> =
        (340..610).step_by(18).map(|y| format!("M290 {y}Q400 {} 510 {}", y + 34, y - 6)).collect();
    p.line("main-2", 4, &turns.concat())
        .disc("oak", [400, 316, 150, 36])
        .oval("oak-4", [400, 312, 26, 8])
        .line("main-1", 7, "M508 560C600 560 560 680 660 690S720 640 690 620")
        .line("side", 7, "M290 470Q400 504 510 464");
}

fn pastry_brush(p: &mut Pen) {
    p.group("rotate(30 400 400)", |p| {
        p.sheet("side", "M310 320L290 120Q400 96 510 120L490 320z").line(
            "side-2",
            4,
            "M330 310L316 130M360 310L350 122M400 310V118M440 310L450 122M470 310L484 130",
        );
        p.slab("brass", [302, 312, 196, 66, 6])
            .line("brass-3", 4, "M302 330H498M302 360H498")
            .sheet(
                "main",
                "M306 376H494Q494 440 436 470L428 690Q428 730 400 730T372 690L364 470Q306 440 306 376z",
            )
            .oval("ink@5", [400, 694, 11, 11]);
    });
}
