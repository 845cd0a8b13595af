//! Coffee, tea and what brews them.
use super::{Motif, Pen, Scene::*};

pub(super) fn motif(name: &str) -> Option<Motif> {
    Some(match name {
        "pouch" => (Stand, pouch),
        "teapouch" => (Stand, tea_pouch),
        "tin" => (Stand, tin),
        "tins" => (Stand, tins),
        "box" => (Stand, coffee_box),
        "teabox" => (Stand, tea_box),
        "dripper" => (Stand, dripper),
        "kettle" => (Stand, kettle),
        "grinder" => (Stand, grinder),
        "carafe" => (Stand, carafe),
        "moka" => (Stand, moka),
        "chasen" => (Stand, chasen),
        _ => return None,
    })
}

const COFFEE: [u64; 4] = [0, 2, 3, 2];
const TEA: [u64; 4] = [0, 1, 3, 4];

/// A paper label with one of these small pictures.
fn label(p: &mut Pen, motifs: [u64; 4], place: &str) {
    let kind = motifs[usize::try_from(p.roll(4)).unwrap_or_default()];
    p.group(place, |p| {
        p.bar("paper", [-80, -105, 160, 210, 8]).bar("side", [-80, -105, 160, 14, 4]);
        match kind {
            0 => p.oval("side", [0, -26, 44, 44]).fill("main", "M-64 40Q-30-30 4 12Q30-22 64 40z"),
            1 => p.fill("main", "M0-76Q50-30 0 40Q-50-30 0-76z").line(
                "paper",
                4,
                "M0-66V34M0-10l20-18M0 14l20-18M0-6l-20-18",
            ),
            2 => p.oval("side", [0, -20, 34, 48]).line("main-2", 6, "M4-66C-22-40 22 0-4 26"),
            3 => p
                .fill("main", "M-62 36L-16-50L10-8L24-30L62 36z")
                .fill("paper", "M-16-50L-30-22L-14-28L-4-18L-5-32z")
                .oval("saffron", [36, -54, 15, 15]),
            _ => p
                .line("main", 8, "M-56-60q28-22 56 0t56 0M-56-30q28-22 56 0t56 0M-56 0q28-22 56 0t56 0")
                .oval("side", [0, 30, 9, 9]),
        };
        p.bar("ink@7", [-46, 56, 92, 9, 4]).bar("ink@3", [-34, 76, 68, 6, 3]);
    });
}

fn beans(p: &mut Pen) {
    for (x, y, turn) in [(212, 690, 20), (258, 712, -30), (300, 684, 70)] {
        p.group(&format!("translate({x} {y}) rotate({turn})"), |p| {
            p.oval("ink@3", [5, 7, 23, 15]).disc("soil", [0, 0, 23, 15]).line(
                "ink",
                4,
                "M-20 0Q-6-8 0 0T20 0",
            );
        });
    }
}

fn leaves(p: &mut Pen) {
    for (x, y, turn) in [(216, 696, 20), (262, 712, -50), (306, 690, 80)] {
        p.group(&format!("translate({x} {y}) rotate({turn})"), |p| {
            p.fill("ink@3", "M-24 6Q4-14 32 6Q4 22-24 6z")
                .fill("leaf-2", "M-28 0Q0-22 28 0Q0 18-28 0z")
                .line("leaf+2", 2, "M-24 0H22");
        });
    }
}

fn pouch(p: &mut Pen) {
    bag(p, COFFEE);
    beans(p);
}

fn tea_pouch(p: &mut Pen) {
    bag(p, TEA);
    leaves(p);
}

fn bag(p: &mut Pen, labels: [u64; 4]) {
    p.shadow(400, 636, 170)
        .body("main", "M262 250Q400 262 538 250L566 616Q568 642 540 642H260Q232 642 234 616z");
    p.fill("ink@1", "M262 250L296 300L280 642H260Q232 642 234 616z")
        .fill("white@1", "M538 250L504 300L520 642H540Q568 642 566 616z");
    p.block("main-1", [252, 196, 296, 62, 10])
        .line("main-4", 4, "M262 228H538")
        .bar("side", [232, 212, 38, 30, 6])
        .bar("side", [530, 212, 38, 30, 6]);
    label(p, labels, "translate(400 456)");
}

fn one_tin(p: &mut Pen, (body, lid): (&str, &str), place: &str) {
    p.group(place, |p| {
        p.shadow(400, 636, 130).body(body, "M276 320H524V612Q524 642 494 642H306Q276 642 276 612z");
        p.fill("ink@2", "M276 336H524V346H276z").solid(lid, "M268 262Q400 292 532 262V330Q400 356 268 330z");
        p.oval(&format!("{lid}+3"), [400, 262, 132, 27]).ring("ink@2", 4, [400, 262, 112, 20]);
    });
}

fn tin(p: &mut Pen) {
    one_tin(p, ("main", "side"), "translate(0 0)");
    label(p, TEA, "translate(396 492)");
    leaves(p);
}

fn tins(p: &mut Pen) {
    for (index, body) in ["indigo", "main", "side", "brick"].into_iter().enumerate() {
        let place = ["60 120", "240 120", "-40 214", "176 222"][index];
        one_tin(p, (body, "oat"), &format!("translate({place}) scale(.7)"));
    }
    for (x, y) in [(240, 560), (456, 568)] {
        p.disc("paper", [x, y, 42, 46]).oval("soil", [x, y, 18, 26]).line(
            "oak",
            4,
            &format!("M{x} {}q-12 20 0 36", y - 18),
        );
    }
}

fn coffee_box(p: &mut Pen) {
    packet(p, COFFEE);
}

fn tea_box(p: &mut Pen) {
    packet(p, TEA);
}

fn packet(p: &mut Pen, labels: [u64; 4]) {
    p.shadow(430, 640, 180)
        .fill("main", "M230 320H516V642H230z")
        .raw("<path d=\"M230 320H516V642H230z\" fill=\"url(#u)\"/>");
    p.fill("main-3", "M516 320L602 284V600L516 642z")
        .fill("main+3", "M230 320L322 284H602L516 320z")
        .fill("side", "M230 344h286v26h-286z")
        .fill("side-3", "M516 344l86-36v26l-86 36z");
    label(p, labels, "translate(373 506)");
}

fn dripper(p: &mut Pen) {
    p.shadow(400, 638, 150)
        .line("side", 24, "M506 560C590 550 590 640 500 624")
        .solid("side", "M294 530H506V600Q506 642 464 642H336Q294 642 294 600z");
    p.oval("main-3", [400, 538, 178, 26]).disc("main", [400, 528, 178, 26]).line(
        "main-1",
        24,
        "M520 350C640 340 620 480 470 460",
    );
    p.solid("main", "M238 300Q400 346 562 300L452 510Q400 528 348 510z").line(
        "ink@2",
        6,
        "M300 340L368 500M350 350L386 510M450 350L414 510M500 340L432 500",
    );
    p.oval("main+3", [400, 300, 162, 36])
        .oval("oak+3", [400, 304, 146, 28])
        .oval("soil", [400, 314, 104, 17])
        .line("white@5", 9, "M370 260c-26-30 22-46 0-84M430 266c-24-34 24-50 4-96");
}

fn kettle(p: &mut Pen) {
    p.shadow(390, 636, 180).line("main-2", 26, "M530 580C640 570 570 380 680 310").line(
        "main+2",
        9,
        "M530 572C628 564 566 376 672 306",
    );
    p.line("ink", 28, "M300 400C130 360 130 600 240 590");
    p.solid("main", "M290 400Q390 424 490 400L556 616Q560 642 530 642H250Q220 642 224 616z")
        .solid("main-1", "M288 402C296 350 484 350 492 402Q390 430 288 402z");
    p.solid("ink", "M390 318a24 22 0 1 1-1 0z").bar("ink", [382, 356, 16, 14, 2]).line(
        "white@6",
        10,
        "M300 460L272 590",
    );
}

fn grinder(p: &mut Pen) {
    p.shadow(400, 636, 110)
        .block("main", [310, 420, 180, 222, 22])
        .line("main-2@5", 3, "M340 430V630M372 430V634M420 430V634M456 430V630")
        .bar("steel", [304, 520, 192, 16, 4]);
    p.solid("steel", "M300 420C300 330 500 330 500 420z")
        .block("steel-2", [384, 290, 32, 50, 6])
        .line("steel-3", 16, "M400 296C480 270 540 280 590 290")
        .block("main-1", [570, 226, 44, 70, 20])
        .line("white@6", 8, "M330 400q10-30 40-40");
    beans(p);
}

fn carafe(p: &mut Pen) {
    p.shadow(400, 636, 150)
        .fill("soil", "M300 540H500C540 570 540 642 480 642H320C260 642 260 570 300 540z")
        .oval("copper", [400, 540, 104, 17]);
    p.fill("white@3", "M270 230L372 420C300 450 240 520 250 590Q260 642 310 642H490Q540 642 550 590C560 520 500 450 428 420L530 230z").line("white@8", 6, "M270 230L372 420C300 450 240 520 250 590Q260 642 310 642H490Q540 642 550 590C560 520 500 450 428 420L530 230");
    p.ring("white@9", 6, [400, 230, 130, 26])
        .solid("main", "M344 376H456L446 416L462 462H338L354 416z")
        .line("oak", 9, "M340 420H460M440 420l60 30M440 420l54-6")
        .oval("brick", [400, 420, 15, 15])
        .line("white@8", 12, "M280 580q-2-40 26-76");
}

fn moka(p: &mut Pen) {
    p.shadow(400, 636, 140)
        .line("ink", 28, "M500 330H580Q600 330 596 360L576 480")
        .solid("steel", "M330 470H470L514 642H286z")
        .fill("ink@2", "M376 470L360 642H440L424 470z");
    p.solid("steel", "M296 270L244 260L300 330L336 452H464L512 270z")
        .fill("ink@2", "M378 270L386 452H424L440 270z")
        .block("steel-2", [322, 444, 156, 34, 8]);
    p.solid("steel+2", "M288 272L400 214L516 272z").solid("ink", "M400 172a22 24 0 1 1-1 0z").line(
        "white@7",
        8,
        "M322 300l22 130M330 500l-16 120",
    );
}

fn chasen(p: &mut Pen) {
    p.shadow(400, 636, 110)
        .solid("main", "M352 250H448V440H352z")
        .line("main-2", 5, "M352 300H448M352 380H448")
        .oval("main+3", [400, 250, 48, 12])
        .oval("main-3", [400, 251, 34, 7]);
    for step in 0..19 {
        let x = 300 + step * 11;
        p.line(
            if step % 2 == 0 { "main+2" } else { "main-1" },
            5,
            &format!("M{} 440C{x} 500 {} 560 {} 636", 358 + step * 5, x - 4, 320 + step * 9),
        );
    }
    p.line("ink", 8, "M336 482Q400 504 464 482")
        .disc("leaf", [590, 660, 90, 22])
        .disc("leaf+3", [580, 650, 60, 14]);
}
