//! Plants, seeds and garden tools.
use super::{Motif, Pen, Scene::*};

pub(super) fn motif(name: &str) -> Option<Motif> {
    Some(match name {
        "plant" => (Stand, plant),
        "monstera" => (Stand, monstera),
        "trailing" => (Stand, trailing),
        "fern" => (Stand, fern),
        "snake" => (Stand, snake),
        "aloe" => (Stand, aloe),
        "cactus" => (Stand, cactus),
        "lily" => (Stand, lily),
        "herbs" => (Stand, herbs),
        "rosemary" => (Stand, rosemary),
        "seeds" => (Lie, flower_seeds),
        "vegseeds" => (Lie, tomato_seeds),
        "wateringcan" => (Stand, watering_can),
        "trowel" => (Lie, trowel),
        "snips" => (Lie, snips),
        _ => return None,
    })
}

fn pot(p: &mut Pen) {
    p.shadow(400, 640, 130)
        .oval("soil", [400, 474, 116, 22])
        .solid("side", "M284 476Q400 520 516 476L486 624Q484 642 460 642H340Q316 642 314 624z")
        .solid("side", "M270 456Q400 500 530 456V496Q400 542 270 496z")
        .line("side-2", 4, "M272 500Q400 546 528 500");
}

/// A leaf from the soil or a stem: where it starts, its turn, length and half width.
fn leaf(p: &mut Pen, paint: &str, (x, y): (i32, i32), turn: i32, long: i32, wide: i32) {
    p.group(&format!("translate({x} {y}) rotate({turn})"), |p| {
        let middle = long * 3 / 5;
        p.fill(
            paint,
            &format!(
                "M0 0C-{wide}-{} -{wide}-{middle} 0-{long}C{wide}-{middle} {wide}-{} 0 0z",
                long / 5,
                long / 5
            ),
        );
        p.fill("ink@1", &format!("M0 0V-{long}C{wide}-{middle} {wide}-{} 0 0z", long / 5)).line(
            &format!("{paint}+3"),
            3,
            &format!("M0 0V-{}", long - 12),
        );
    });
}

fn plant(p: &mut Pen) {
    p.group("translate(64 106) scale(.84)", tall_leaves);
}

fn tall_leaves(p: &mut Pen) {
    p.line("walnut", 12, "M400 480Q392 300 404 130");
    for (y, turn) in
        [(440, -74), (430, 70), (370, -62), (350, 62), (290, -50), (270, 52), (210, -36), (190, 38), (140, 2)]
    {
        let shade = if turn < 0 { "main+1" } else { "main" };
        leaf(p, shade, (398, y), turn, 170, 62);
    }
    pot(p);
}

fn monstera(p: &mut Pen) {
    p.group("translate(60 100) scale(.85)", split_leaves);
}

fn split_leaves(p: &mut Pen) {
    p.line(
        "main",
        10,
        "M396 480C380 400 300 380 270 300M400 480C400 380 410 320 420 240M404 480C430 410 500 390 550 350",
    );
    for (x, y, turn, scale) in [(262, 330, -40, "1"), (550, 380, 46, ".92"), (420, 290, 6, "1.24")] {
        p.group(&format!("translate({x} {y}) rotate({turn}) scale({scale})"), |p| {
            p.fill("main+1", "M0 30C-30 56-110 30-116-40L-60-30L-112-66C-104-110-80-130-70-136L-40-84L-48-152C-20-176 0-186 0-190C0-186 20-176 48-152L40-84L70-136C80-130 104-110 112-66L60-30L116-40C110 30 30 56 0 30z").fill("ink@1", "M0 30V-190C0-186 20-176 48-152L40-84L70-136C80-130 104-110 112-66L60-30L116-40C110 30 30 56 0 30z").line("main+4", 4, "M0 24V-170M0-10L-60-4M0-10L60-4M0-60L-54-92M0-60L54-92");
        });
    }
    pot(p);
}

fn trailing(p: &mut Pen) {
    p.shadow(400, 640, 130).block("oak", [300, 470, 200, 170, 6]).line(
        "oak-2",
        4,
        "M316 520q84-12 168 4M316 580q84 12 168-6",
    );
    p.group("translate(0 -170)", pot);
    for (x, sway, long) in [
        (268, -26, 310),
        (306, -14, 250),
        (352, -8, 150),
        (410, 4, 190),
        (462, 10, 130),
        (500, 18, 280),
        (534, 26, 330),
    ] {
        p.line(
            "plum+2",
            4,
            &format!("M{x} 300C{} 270 {} 340 {} {}", x + sway, x + sway * 2, x + sway, 300 + long),
        );
        let hearts: Vec<String> = (1..6)
            .map(|step| {
                let (u, v) = (x + sway * 5 / 4 - step % 2 * 34 + 16, 286 + long * step / 5);
                format!("M{u} {v}c-30-6-34 20-6 36c26-12 34-34 6-36z")
            })
            .collect();
        p.fill(if x % 4 == 0 { "main" } else { "main-2" }, &hearts.concat());
    }
}

fn fern(p: &mut Pen) {
    let fronds =
        [(-250, 240), (250, 236), (-200, 120), (196, 110), (-120, 20), (124, 10), (-40, -30), (50, -20)];
    for (index, (reach, tip)) in fronds.into_iter().enumerate() {
        // A frond rises, then bends down to its tip; the leaflets grow shorter on the way.
        let (far, rise) = (f64::from(reach), f64::from(tip) - 40.0);
        let mut leaflets = String::new();
        for step in 2..11 {
            let t = f64::from(step) / 11.0;
            let x = 400.0 + 2.0 * t * (1.0 - t) * far * 0.45 + t * t * far;
            let y =
                474.0 * (1.0 - t) * (1.0 - t) + 2.0 * t * (1.0 - t) * (rise + 60.0) + t * t * (rise + 200.0);
            let long = 52.0 * (1.05 - t);
            let lean = far / 14.0;
            leaflets.push_str(&format!(
                "M{:.0} {:.0}L{x:.0} {y:.0}L{:.0} {:.0}",
                x + lean - long,
                y - long / 3.0,
                x + lean + long,
                y - long / 3.0
            ));
        }
        p.line(if index % 2 == 0 { "main" } else { "leaf" }, 13, &leaflets);
        p.line(
            "main+3",
            4,
            &format!(
                "M400 474Q{:.0} {:.0} {:.0} {:.0}",
                400.0 + far * 0.45,
                rise + 60.0,
                400.0 + far,
                rise + 200.0
            ),
        );
    }
    pot(p);
}

fn snake(p: &mut Pen) {
    for (x, turn, long) in
        [(350, -16, 330), (452, 15, 320), (382, -5, 410), (420, 6, 370), (366, -30, 220), (440, 30, 210)]
    {
        p.group(&format!("translate({x} 480) rotate({turn})"), |p| {
            let d = format!(
                "M-24 0C-40-{} -30-{} 0-{long}C30-{} 40-{} 24 0z",
                long / 2,
                long * 3 / 4,
                long * 3 / 4,
                long / 2
            );
            p.solid("main", &d).line("side+2", 6, &d);
            let bands: Vec<String> =
                (1..long / 44).map(|step| format!("M-18-{}q16-18 34 0", step * 44 - 10)).collect();
            p.line("main+3@7", 6, &bands.concat());
        });
    }
    p.shadow(400, 640, 130)
        .solid("terracotta", "M284 476Q400 520 516 476L486 624Q484 642 460 642H340Q316 642 314 624z")
        .solid("terracotta", "M270 456Q400 500 530 456V496Q400 542 270 496z");
}

fn aloe(p: &mut Pen) {
    for (turn, long) in
        [(-72, 210), (72, 214), (-50, 280), (52, 270), (-28, 330), (28, 320), (-8, 350), (10, 300)]
    {
        p.group(&format!("translate(400 486) rotate({turn})"), |p| {
            p.solid("main", &format!("M-30 0Q-34-{} 0-{long}Q34-{} 30 0z", long / 2, long / 2));
            let dots: Vec<String> = (2..long / 30)
                .map(|step| format!("M{}-{}h1", if step % 2 == 0 { -8 } else { 8 }, step * 26))
                .collect();
            p.line("white@6", 6, &dots.concat());
        });
    }
    pot(p);
}

fn cactus(p: &mut Pen) {
    p.solid("main", "M400 230C540 230 580 340 560 420C546 480 500 500 400 500S254 480 240 420C220 340 260 230 400 230z").line("main-3", 6, "M400 232V498M340 240Q270 360 330 492M460 240Q530 360 470 492M290 270Q220 380 280 480M510 270Q580 380 520 480");
    let mut spines = String::new();
    for (x, bend) in [(312, -36), (370, -14), (430, 14), (488, 36), (262, -30), (540, 30)] {
        for row in 0..5 {
            let (y, u) = (280 + row * 46, x + bend * (2 - (row - 2_i32).abs()) / 2);
            spines.push_str(&format!("M{u} {y}l-12-10M{u} {y}l12-10M{u} {y}v14"));
        }
    }
    p.line("saffron+3", 3, &spines)
        .oval("saffron", [380, 232, 20, 13])
        .oval("brick+2", [420, 228, 22, 15])
        .oval("saffron+2", [420, 222, 9, 6]);
    p.shadow(400, 640, 130)
        .solid("terracotta", "M284 476Q400 520 516 476L486 624Q484 642 460 642H340Q316 642 314 624z")
        .solid("terracotta", "M270 456Q400 500 530 456V496Q400 542 270 496z");
}

fn lily(p: &mut Pen) {
    p.group("translate(64 106) scale(.84)", white_flowers);
}

fn white_flowers(p: &mut Pen) {
    for (turn, long) in [(-66, 260), (66, 250), (-36, 320), (34, 320), (-8, 320)] {
        leaf(p, if turn < 0 { "main+1" } else { "main" }, (400, 480), turn, long, 56);
    }
    for (x, y, turn) in [(320, 190, -16), (480, 150, 14), (410, 110, 2)] {
        p.line("leaf+1", 7, &format!("M400 470Q400 330 {x} {y}")).group(
            &format!("translate({x} {y}) rotate({turn})"),
            |p| {
                p.fill("white", "M0 20C-60-10-50-80 10-120C50-70 50-6 0 20z")
                    .fill("sage@3", "M0 20Q16-50 10-120C50-70 50-6 0 20z")
                    .line("saffron+1", 14, "M0 0Q8-30 4-54");
            },
        );
    }
    pot(p);
}

fn rosemary(p: &mut Pen) {
    for (turn, tall) in [(-34, 240), (-20, 310), (-6, 350), (8, 330), (22, 300), (36, 220)] {
        let needles: Vec<String> = (2..12)
            .map(|step| tall * step / 12)
            .map(|y| format!("M-22-{}L0-{y}L22-{}", y + 20, y + 20))
            .collect();
        p.group(&format!("translate(400 480) rotate({turn})"), |p| {
            p.line("walnut", 6, &format!("M0 0V-{tall}")).line(
                if turn < 0 { "main+1" } else { "main" },
                9,
                &needles.concat(),
            );
        });
    }
    pot(p);
}

fn herbs(p: &mut Pen) {
    for (x, kind) in [(240, 0), (400, 1), (560, 2)] {
        for (turn, tall) in [(-26, 180), (2, 240), (28, 200)] {
            let leaves: Vec<String> = (1..5)
                .map(|step| {
                    let y = tall * step / 4;
                    match kind {
                        0 => format!("M0-{y}q-50 6-40-34q30 4 40 34q34-34 44-2q-20 14-44 2"),
                        1 => format!("M0-{y}l-36-20 12-4 0-16 24 16 8-20 12 14 16-4z"),
                        _ => format!("M0-{y}l-20-18M0-{y}l20-18"),
                    }
                })
                .collect();
            p.group(&format!("translate({x} 500) rotate({turn})"), |p| {
                p.fill("leaf-1", &format!("M-2 0V-{tall}H3V0z"));
                if kind == 2 {
                    p.line("main-1", 8, &leaves.concat());
                } else {
                    p.fill(if kind == 0 { "leaf" } else { "main" }, &leaves.concat());
                }
            });
        }
    }
    p.shadow(400, 640, 270)
        .oval("soil", [400, 492, 250, 18])
        .solid("side", "M140 490H660L636 620Q634 642 610 642H190Q166 642 164 620z")
        .solid("side", "M124 476H676V520H124z")
        .line("side-2", 4, "M126 522H674");
    for x in [240, 400, 560] {
        p.bar("oak", [x - 4, 410, 8, 90, 0])
            .bar("paper", [x - 34, 390, 68, 44, 5])
            .bar("ink@6", [x - 21, 402, 42, 4, 0])
            .bar("ink@6", [x - 21, 416, 28, 4, 0]);
    }
}

fn packet(p: &mut Pen) {
    p.slab("paper", [226, 110, 348, 520, 8])
        .fill("paper-1", "M226 110h348v44h-348z")
        .bar("side", [250, 170, 300, 360, 6]);
    p.bar("main@2", [250, 170, 300, 360, 6])
        .bar("ink@7", [286, 556, 228, 14, 6])
        .bar("ink@4", [320, 584, 160, 10, 5]);
}

fn spilled(p: &mut Pen, paint: &str) {
    for _ in 0..9 {
        let (x, y) = ((430.0 + p.sway() * 160.0).round(), (690.0 + p.sway() * 34.0).round());
        p.oval(paint, [x, y, 9.0, 6.0]);
    }
}

fn tomato_seeds(p: &mut Pen) {
    packet(p);
    p.line("forest-1", 7, "M400 200V300M400 220Q340 240 330 300M400 260Q470 260 480 330");
    for (x, y, r) in [(330, 340, 54), (480, 370, 60), (396, 436, 66)] {
        p.disc("main", [x, y, r, r * 11 / 12]).oval("white@5", [x - r / 3, y - r / 3, r / 5, r / 8]);
        p.group(&format!("translate({x} {})", y - r * 5 / 6), |p| {
            p.fill("leaf-1", "M0 8L-34-4L-10-6L-16-26L0-10L16-26L10-6L34-4z");
        });
    }
    spilled(p, "oat");
}

fn flower_seeds(p: &mut Pen) {
    packet(p);
    let petals = 5 + p.roll(4);
    for (x, y, scale) in [(330, 290, "1"), (470, 330, ".8"), (400, 410, ".66")] {
        p.line("forest-2", 6, &format!("M{x} {y}Q{} 470 400 528", x + 14));
        p.group(&format!("translate({x} {y}) scale({scale})"), |p| {
            for petal in 0..petals {
                p.group(&format!("rotate({})", petal * 360 / petals), |p| {
                    p.fill("main", "M0 0C-34-30-24-76 0-80C24-76 34-30 0 0z");
                });
            }
            p.oval("saffron+1", [0, 0, 19, 19]).oval("soil", [0, 0, 8, 8]);
        });
    }
    p.fill("leaf-1", "M396 520q-70-20-80-70q60 6 80 70zM406 520q60-20 70-80q-60 20-70 80z");
    spilled(p, "soil");
}

fn watering_can(p: &mut Pen) {
    p.shadow(400, 636, 200)
        .line("main-1", 24, "M330 400C260 180 560 180 520 400")
        .line("main-2", 22, "M540 440C660 430 640 620 530 600")
        .line("main-1", 32, "M280 570L140 360")
        .line("main+2", 9, "M272 562L136 362");
    p.solid("brass", "M96 380L176 320L136 286Q90 300 70 348z")
        .oval("brass-2", [100, 316, 16, 42])
        .solid("main", "M256 400Q400 440 544 400L560 616Q560 642 530 642H270Q240 642 240 616z")
        .oval("main+2", [400, 400, 145, 32])
        .oval("main-5", [400, 404, 126, 23]);
    p.line("main-2", 7, "M248 480Q400 516 552 480M244 580Q400 616 556 580").line(
        "white@6",
        12,
        "M282 500V580",
    );
}

fn trowel(p: &mut Pen) {
    p.group("rotate(38 400 400)", |p| {
        p.sheet(
            "steel+1",
            "M318 320Q400 290 482 320Q500 200 460 110Q430 60 400 40Q370 60 340 110Q300 200 318 320z",
        )
        .fill("ink@2", "M400 40Q430 60 460 110Q500 200 482 320Q440 304 400 302z")
        .line("steel-2", 26, "M400 300V460")
        .slab("brass", [372, 440, 56, 44, 6])
        .sheet("main", "M374 482H426Q440 560 430 680Q430 730 400 730T370 680Q360 560 374 482z")
        .oval("ink@6", [400, 694, 10, 10])
        .line("brick", 8, "M400 694q60 30 40 80");
    });
    for _ in 0..8 {
        let (x, y) = ((600.0 + p.sway() * 70.0).round(), (170.0 + p.sway() * 60.0).round());
        p.oval("soil", [x, y, 13.0, 10.0]);
    }
}

fn snips(p: &mut Pen) {
    p.group("rotate(-30 400 400)", |p| {
        p.sheet("steel+1", "M390 400L330 90L420 330z")
            .sheet("steel-1", "M410 400L470 90L380 330z")
            .disc("brass", [400, 380, 26, 26])
            .line("ink", 5, "M386 380h28");
        p.line("main", 34, "M384 400C270 480 260 640 330 690C390 700 380 520 392 420")
            .line("main", 34, "M416 400C530 480 540 640 470 690C410 700 420 520 408 420")
            .line("side", 14, "M322 560q78 36 156 0");
    });
    p.group("translate(150 230) rotate(30)", |p| {
        p.line("leaf-1", 6, "M0 0Q10 160-20 300")
            .fill("leaf", "M0 110q60-40 90 0q-50 40-90 0zM-4 170q-60-40-90 0q50 40 90 0z");
        for turn in 0..7 {
            p.group(&format!("rotate({})", turn * 51), |p| {
                p.fill("blush", "M0 0Q-34-40 0-70Q34-40 0 0z");
            });
        }
        p.oval("saffron", [0, 0, 18, 18]);
    });
}
