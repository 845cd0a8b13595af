//! Wooden toys, puzzles and games.
use super::{Motif, Pen, Scene::*};

pub(super) fn motif(name: &str) -> Option<Motif> {
    Some(match name {
        "blocks" => (Stand, blocks),
        "dog" => (Stand, dog),
        "top" => (Stand, top),
        "car" => (Stand, car),
        "train" => (Stand, train),
        "boat" => (Stand, boat),
        "rings" => (Stand, rings),
        "kite" => (Lie, kite),
        "puzzle" => (Stand, puzzle),
        "dominoes" => (Lie, dominoes),
        "morris" => (Lie, morris),
        _ => return None,
    })
}

fn wheel(p: &mut Pen, x: i32, y: i32, r: i32) {
    p.disc("ink", [x, y, r, r])
        .oval("oak+2", [x, y, r * 2 / 3, r * 2 / 3])
        .oval("walnut", [x, y, r / 6, r / 6]);
}

fn cube(p: &mut Pen, paint: &str, (x, y): (i32, i32), (w, h): (i32, i32)) {
    p.slab(paint, [x, y, w, h, 5])
        .fill(&format!("{paint}+4"), &format!("M{x} {y}l30-24h{w}l-30 24z"))
        .fill(&format!("{paint}-3"), &format!("M{} {y}l30-24v{h}l-30 24z", x + w));
}

fn blocks(p: &mut Pen) {
    p.shadow(400, 640, 270);
    cube(p, "main", (160, 540), (200, 100));
    cube(p, "main+1", (440, 540), (200, 100));
    cube(p, "main-1", (190, 340), (100, 200));
    cube(p, "main", (490, 340), (100, 200));
    cube(p, "main+1", (170, 270), (440, 70));
    p.fill("main", "M240 270A100 100 0 0 1 440 270H392A52 52 0 0 0 288 270z")
        .fill("main-3", "M440 270A100 100 0 0 0 345 170L372 156A100 100 0 0 1 468 250z")
        .fill("side", "M470 270L530 150L590 270z")
        .fill("side-3", "M590 270l20-20L546 140L530 150z");
    p.line("main-2@5", 3, "M180 580q80-12 160 4M180 610q80 10 160-4M460 590q80 12 160-4M200 400q20 60 0 130M560 360q-20 60 4 160M190 300q200 14 400-4");
}

fn dog(p: &mut Pen) {
    p.shadow(400, 640, 260).line("main-2", 26, "M180 470Q120 450 130 380").line(
        "brick",
        6,
        "M660 560C720 560 720 640 780 650",
    );
    p.block("main", [170, 450, 190, 110, 46])
        .block("main", [346, 450, 190, 110, 46])
        .line("ink@4", 8, "M352 462V548")
        .solid("main", "M500 480V380Q500 330 560 330H600Q690 350 700 392Q700 420 660 420H590L570 500z");
    p.solid("main-2", "M520 350Q576 350 566 430Q560 470 530 470Q500 470 500 430z")
        .oval("ink", [610, 366, 9, 11])
        .oval("ink", [698, 386, 16, 14])
        .bar("brick", [504, 470, 76, 20, 8]);
    for x in [210, 320, 400, 500] {
        wheel(p, x, 590, 50);
    }
}

fn top(p: &mut Pen) {
    p.shadow(420, 648, 120).group("rotate(10 400 640)", |p| {
        p.fill("brass", "M388 610H412L402 652H398z")
            .solid("main", "M200 440Q400 500 600 440C560 560 460 600 400 624C340 600 240 560 200 440z")
            .solid("side", "M200 440C230 372 330 350 400 346C470 350 570 372 600 440Q400 500 200 440z");
        p.line("main", 13, "M232 410Q400 460 568 410")
            .line("saffron", 9, "M270 386Q400 420 530 386")
            .line("side", 9, "M246 520Q400 570 554 520")
            .block("oak", [386, 230, 28, 130, 10])
            .solid("main", "M400 196a26 26 0 1 1-1 0z");
    });
    p.line("ink@2", 6, "M180 700Q300 730 420 716M520 712Q600 700 640 672");
}

fn car(p: &mut Pen) {
    p.shadow(400, 640, 270).solid("main", "M130 520Q130 470 190 460L250 450Q300 350 380 350H480Q550 360 590 450L640 462Q690 476 690 530V560Q690 590 660 590H160Q130 590 130 560z");
    p.fill("sky+3", "M286 446Q320 384 384 384H400V446zM424 384H474Q526 392 554 446H424z")
        .fill("main-2", "M130 548H690V560Q690 590 660 590H160Q130 590 130 560z")
        .disc("paper", [412, 510, 48, 48])
        .line("ink", 11, "M392 488H432L406 536")
        .oval("saffron+2", [674, 496, 14, 18])
        .line("side", 10, "M140 520H350M474 520H640");
    wheel(p, 240, 582, 60);
    wheel(p, 570, 582, 60);
}

fn train(p: &mut Pen) {
    p.group("translate(40 86) scale(.865)", wagons);
}

fn wagons(p: &mut Pen) {
    p.shadow(400, 640, 330).bar("oak-1", [20, 640, 760, 20, 4]).bar("oak-3", [20, 652, 760, 8, 2]);
    p.block("main", [440, 440, 200, 110, 20])
        .solid("main-1", "M440 340H560V550H440z")
        .bar("side", [424, 316, 152, 30, 10])
        .bar("paper", [470, 366, 60, 60, 8])
        .block("side", [590, 370, 50, 80, 8])
        .bar("ink", [580, 358, 70, 18, 8])
        .solid("saffron", "M640 460q34 30 0 80z")
        .bar("ink", [420, 546, 250, 24, 8]);
    p.oval("white@7", [640, 320, 34, 28])
        .oval("white@7", [600, 270, 44, 34])
        .oval("white@5", [530, 226, 54, 38]);
    for (x, paint) in [(230, "saffron"), (40, "side")] {
        p.block(paint, [x, 470, 160, 80, 8])
            .bar("ink", [x - 8, 546, 190, 22, 8])
            .disc("oak", [x + 45, 456, 36, 32])
            .disc("walnut+1", [x + 110, 460, 38, 34])
            .bar(paint, [x, 466, 160, 40, 6]);
    }
    for x in [70, 170, 260, 360, 470, 550, 630] {
        wheel(p, x, 596, 42);
    }
}

fn boat(p: &mut Pen) {
    p.shadow(400, 636, 240)
        .block("oak", [392, 110, 16, 430, 6])
        .fill("side", "M416 130Q560 300 610 480Q500 500 416 490z")
        .raw("<path d=\"M416 130Q560 300 610 480Q500 500 416 490z\" fill=\"url(#u)\"/>")
        .fill("side-1", "M384 180Q300 340 220 470Q320 490 384 484z")
        .line("main", 12, "M416 330Q480 336 546 322M416 366Q500 372 566 356")
        .fill("main", "M408 110l60 22l-60 22z");
    p.solid("oak", "M140 520H660Q640 640 520 642H290Q180 640 140 520z")
        .fill("main", "M154 566Q400 590 648 566Q620 640 520 642H290Q190 640 154 566z")
        .raw("<path d=\"M140 520H660Q640 640 520 642H290Q180 640 140 520z\" fill=\"url(#v)\"/>")
        .bar("oak+3", [130, 510, 540, 22, 10]);
}

fn rings(p: &mut Pen) {
    p.shadow(400, 640, 200)
        .solid("oak", "M220 610Q400 590 580 610Q560 660 400 660T220 610z")
        .block("oak-1", [388, 200, 24, 410, 10]);
    for (row, paint) in ["brick", "saffron", "leaf", "teal", "indigo", "plum", "main"].into_iter().enumerate()
    {
        let (w, y) = (330 - 32 * row, 552 - 52 * row);
        p.block(paint, [400 - w / 2, y, w, 56, 28]).bar("white@3", [400 - w / 2 + 30, y + 9, w / 3, 8, 4]);
    }
    p.solid("side", "M400 150a42 42 0 1 1-1 0z");
}

fn kite(p: &mut Pen) {
    p.line("oak", 5, "M400 590C340 660 470 690 410 770");
    p.group("rotate(14 400 400)", |p| {
        p.fill("main", "M400 70L400 600L220 300z")
            .fill("side", "M400 70L580 300L400 300z")
            .fill("main+2", "M400 600L580 300H400z")
            .fill("saffron", "M400 70L220 300H400z")
            .raw("<path d=\"M400 70L580 300L400 600L220 300z\" fill=\"url(#u)\"/>")
            .line("walnut", 8, "M400 70V600M220 300Q400 260 580 300")
            .line("main-2", 4, "M400 70L580 300L400 600L220 300z");
        p.oval("paper@9", [400, 300, 40, 40]).oval("brick", [400, 300, 20, 20]);
    });
    for (x, y, paint) in [(366, 650, "brick"), (420, 690, "saffron"), (424, 740, "forest")] {
        p.fill(paint, &format!("M{x} {y}l-40-22v44zM{x} {y}l40-22v44z"));
    }
}

fn puzzle(p: &mut Pen) {
    p.shadow(400, 640, 250).fill("soil", "M150 560C120 400 250 250 420 250C580 260 660 400 680 500L740 570Q740 600 700 602H640V642H170Q140 620 150 560z");
    p.fill(
        "main-2",
        "M158 560C130 410 260 262 420 262C500 268 560 310 600 360L520 470L440 642H176Q150 620 158 560z",
    )
    .fill("main", "M230 640C200 470 300 350 430 340C500 344 550 370 590 410L520 480L450 642z")
    .fill("main+2", "M310 642C280 530 350 440 440 430C490 432 520 440 560 460L510 520L450 642z")
    .fill("oak+2", "M520 642L560 470Q620 420 668 500L730 572Q728 592 700 594H630V642z");
    p.line("soil", 5, "M300 290L320 342M400 262L404 342M500 286L484 350M206 380L262 420M168 480L226 510M166 580L226 584").oval("ink", [640, 522, 11, 13]).oval("ink", [730, 574, 16, 14]).oval("side", [590, 560, 15, 13]).raw("<path d=\"M150 560C120 400 250 250 420 250C580 260 660 400 680 500L740 570Q740 600 700 602H640V642H170Q140 620 150 560z\" fill=\"url(#u)\"/>");
    p.disc("brick", [330, 230, 38, 36]).line("walnut", 5, "M330 200q0-20 14-28");
}

fn dominoes(p: &mut Pen) {
    for (index, (x, y, turn)) in
        [(210, 250, -24), (380, 210, 8), (560, 280, 34), (270, 520, 74), (480, 520, -12)]
            .into_iter()
            .enumerate()
    {
        let (above, below) = (1 + index % 3, 1 + (index + 1) % 3);
        p.group(&format!("translate({x} {y}) rotate({turn})"), |p| {
            p.slab("main-2", [-66, -126, 140, 262, 18])
                .slab("main", [-70, -130, 140, 258, 18])
                .line("side", 5, "M-50 0H50")
                .disc("brass", [0, 0, 9, 9]);
            for (half, pips) in [(-64, above), (64, below)] {
                let places: &[(i32, i32)] = match pips {
                    1 => &[(0, 0)],
                    2 => &[(-28, -28), (28, 28)],
                    _ => &[(-28, -28), (28, 28), (0, 0), (-28, 28), (28, -28)],
                };
                for (dx, dy) in places {
                    p.oval("side", [*dx, half + dy, 12, 12]);
                }
            }
        });
    }
    p.slab("oak", [420, 640, 300, 90, 8]).bar("oak-2", [440, 656, 260, 12, 6]);
}

fn morris(p: &mut Pen) {
    p.sheet("main", "M140 150Q400 130 660 150Q676 400 660 652Q400 670 140 652Q124 400 140 150z").line("side", 7, "M200 210H600V592H200zM270 276H530V526H270zM340 342H460V460H340zM400 210V342M400 460V592M200 400H340M460 400H600");
    for (x, y, light) in [
        (200, 210, true),
        (400, 210, false),
        (530, 276, true),
        (340, 342, false),
        (600, 400, true),
        (460, 460, false),
        (270, 526, true),
        (200, 592, false),
        (340, 400, true),
        (600, 592, true),
        (400, 526, false),
    ] {
        p.oval("ink@4", [x + 5, y + 7, 28, 28])
            .disc(if light { "oak+3" } else { "brick" }, [x, y, 28, 28])
            .ring(if light { "oak-1" } else { "brick-3" }, 4, [x, y, 17, 17]);
    }
    p.line("oak", 9, "M660 400C720 380 700 460 760 450");
}
