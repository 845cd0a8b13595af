//! Soap, oils, balms and candles.
use super::{Motif, Pen, Scene::*};

pub(super) fn motif(name: &str) -> Option<Motif> {
    Some(match name {
        "jar" => (Stand, jar),
        "dropper" => (Stand, dropper),
        "pumpbottle" => (Stand, pump_bottle),
        "soap" => (Stand, soap),
        "candle" => (Stand, candle),
        "brush" => (Lie, brush),
        _ => return None,
    })
}

/// A flower head of twelve petals.
fn petals(p: &mut Pen, x: i32, y: i32) {
    p.group(&format!("translate({x} {y}) scale(1 .62)"), |p| {
        p.oval("ink@2", [10, 14, 64, 60]);
        p.line("main-1", 17, "M-56 0H56M-28-48L28 48M28-48L-28 48").line(
            "main",
            17,
            "M0-56V56M-48-28L48 28M48-28L-48 28",
        );
        p.oval("walnut", [0, 0, 19, 19]);
    });
}

fn tag(p: &mut Pen, [x, y, w, h]: [i32; 4]) {
    let (middle, low) = (x + w / 2, y + h - 34);
    p.bar("paper", [x, y, w, h, 4]).bar("side", [x, y, w, 10, 3]);
    p.fill(
        "forest",
        &format!(
            "M{middle} {}q-34-6-32-32q28 4 32 32q-4-30 4-40q4-18 26-18q-4 24-26 26q-2 20-4 32z",
            y + h / 2 + 4
        ),
    );
    p.fill(
        "ink@6",
        &format!(
            "M{} {low}h{}v6h-{}zM{} {}h{}v3h-{}z",
            x + w / 4,
            w / 2,
            w / 2,
            x + w / 3,
            low + 15,
            w / 3,
            w / 3
        ),
    );
}

fn jar(p: &mut Pen) {
    p.shadow(400, 636, 170)
        .solid("main", "M240 440Q400 480 560 440V606Q560 642 524 642H276Q240 642 240 606z")
        .solid("side", "M228 360Q400 402 572 360V452Q400 498 228 452z")
        .oval("side+3", [400, 360, 172, 38])
        .ring("side-1", 4, [400, 360, 148, 29]);
    tag(p, [310, 492, 180, 126]);
    petals(p, 620, 676);
    petals(p, 190, 700);
    p.line("white@5", 10, "M264 490V600");
}

fn dropper(p: &mut Pen) {
    p.shadow(400, 636, 110).body("main-1", "M366 320H434V350Q434 370 470 386Q506 400 506 440V606Q506 642 470 642H330Q294 642 294 606V440Q294 400 330 386Q366 370 366 350z").block("ink", [356, 250, 88, 76, 8]).line("white@2", 5, "M374 256V320M392 256V320M410 256V320M428 256V320").solid("ink-1", "M374 250C360 190 372 140 400 140S440 190 426 250z");
    tag(p, [308, 440, 184, 150]);
    p.line("white@6", 9, "M312 430q6-20 30-26M310 604V620")
        .oval("side", [580, 672, 18, 10])
        .oval("side", [620, 690, 12, 7]);
}

fn pump_bottle(p: &mut Pen) {
    p.shadow(400, 636, 120).line("ink", 24, "M400 180H310L296 204").block("ink", [384, 180, 32, 90, 6]).block("ink", [350, 250, 100, 54, 10]).body("main", "M346 304H454Q456 340 500 356Q520 366 520 400V606Q520 642 484 642H316Q280 642 280 606V400Q280 366 300 356Q344 340 346 304z");
    tag(p, [304, 412, 192, 180]);
    p.line("white@6", 10, "M304 400V404M302 606V616M306 394q4-16 26-22");
    petals(p, 600, 690);
}

fn bar_of_soap(p: &mut Pen, paint: &str, vein: &str, place: &str) {
    p.group(place, |p| {
        p.fill(paint, "M180 480H560V600Q560 640 520 640H220Q180 640 180 600z").raw("<path d=\"M180 480H560V600Q560 640 520 640H220Q180 640 180 600z\" fill=\"url(#u)\"/>").fill(&format!("{paint}-2"), "M560 480L640 440V560Q640 590 600 620L556 626z").fill(&format!("{paint}+3"), "M180 484Q180 470 200 462L260 440H640L566 480Q556 486 540 486H190z");
        p.line(&format!("{vein}@6"), 9, "M190 540C260 500 300 590 380 540S500 520 552 560M200 600C280 570 340 620 420 590S520 600 548 590M566 540Q600 520 634 510");
    });
}

fn soap(p: &mut Pen) {
    p.shadow(400, 640, 260);
    bar_of_soap(p, "main", "side", "translate(0 0)");
    bar_of_soap(p, "main", "side", "translate(-20 -160) rotate(-3 400 600)");
    p.fill("paper", "M270 330H430L432 484H276z")
        .fill("paper-1", "M270 330L340 292H506L430 330z")
        .bar("side", [276, 400, 154, 10, 2])
        .line("forest", 4, "M352 386q-6-20 2-34")
        .fill("forest", "M352 378q-30-6-28-26q24 2 28 26zM352 370q26-6 26-24q-24 0-26 24z")
        .bar("ink@5", [316, 428, 76, 7, 3]);
    p.oval("white@7", [640, 668, 26, 22])
        .ring("sky", 3, [640, 668, 26, 22])
        .ring("sky", 3, [680, 690, 15, 13])
        .oval("white@8", [632, 660, 7, 5]);
    petals(p, 150, 700);
}

fn candle(p: &mut Pen) {
    p.glow(400, 300, 206)
        .shadow(400, 636, 140)
        .solid("main", "M282 450Q400 482 518 450V600Q518 626 490 626H310Q282 626 282 600z")
        .oval("main+3", [400, 450, 118, 25])
        .line("ink", 6, "M400 450V410");
    p.fill("saffron", "M400 290C444 350 440 412 400 416C360 412 356 350 400 290z")
        .fill("white", "M400 350C418 376 416 406 400 408C384 406 382 376 400 350z")
        .fill("white@2", "M264 380Q400 414 536 380V606Q536 642 500 642H300Q264 642 264 606z")
        .line("white@8", 5, "M264 380V606Q264 642 300 642H500Q536 642 536 606V380")
        .ring("white@9", 5, [400, 380, 136, 29]);
    tag(p, [320, 488, 160, 120]);
    p.line("white@8", 9, "M286 430V590");
}

fn brush(p: &mut Pen) {
    p.group("rotate(-28 400 400)", |p| {
        let hairs: Vec<String> =
            (140..660).step_by(13).map(|x| format!("M{x} 440L{} 556", x + (x - 400) / 14)).collect();
        p.line("side", 15, &hairs.concat())
            .line("side+4@4", 4, &hairs.concat())
            .sheet(
                "main",
                "M170 330H630Q700 330 700 394Q700 460 630 460H170Q100 460 100 394Q100 330 170 330z",
            )
            .line("main-2@6", 4, "M140 380C300 360 500 400 660 376M150 420C300 430 500 410 650 426")
            .line("white@4", 8, "M160 352H620");
        p.sheet("brick", "M250 322Q400 250 550 322L540 350Q400 286 260 350z")
            .disc("brass", [262, 344, 10, 10])
            .disc("brass", [538, 344, 10, 10]);
    });
}
