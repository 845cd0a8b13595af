//! Blankets, towels, clothes and bags.
use super::{Motif, Pen, Scene::*};

pub(super) fn motif(name: &str) -> Option<Motif> {
    Some(match name {
        "blanket" => (Stand, blanket),
        "cushion" => (Stand, cushion),
        "towel" => (Lie, towel),
        "towels" => (Stand, towels),
        "rug" => (Lie, rug),
        "scarf" => (Lie, scarf),
        "hat" => (Stand, hat),
        "bobble" => (Stand, bobble),
        "socks" => (Lie, socks),
        "apron" => (Lie, apron),
        "tote" => (Stand, tote),
        "sack" => (Stand, sack),
        "mitt" => (Lie, mitt),
        _ => return None,
    })
}

/// A row of short threads from `x` to `to`, hanging down from `y`.
fn fringe(p: &mut Pen, paint: &str, (x, to): (i32, i32), y: i32, long: i32) {
    let threads: Vec<String> = (x..=to).step_by(14).map(|x| format!("M{x} {y}v{long}")).collect();
    p.line(paint, 5, &threads.concat());
}

fn blanket(p: &mut Pen) {
    p.shadow(400, 636, 220);
    fringe(p, "main-1", (214, 596), 600, 42);
    p.cloth("main-1", "M220 520H580Q606 520 606 562Q606 612 580 612H220Q184 612 184 566Q184 520 220 520z");
    p.cloth("main", "M224 432H582Q602 432 602 476Q602 524 580 524H220Q188 524 188 478Q188 432 224 432z");
    p.cloth(
        "main+1",
        "M230 338Q400 322 576 340Q602 344 602 390Q602 436 576 436H226Q192 436 192 386Q192 342 230 338z",
    );
    p.line("ink@2", 6, "M196 434H600M190 524H602").line(
        "main-2",
        4,
        "M198 378q14 14 44 12M194 476q14 14 44 12M190 566q14 14 44 12",
    );
}

fn cushion(p: &mut Pen) {
    let d = "M196 262Q400 300 604 262Q578 440 612 606Q560 640 400 640T188 606Q222 440 196 262z";
    p.shadow(400, 634, 200).cloth("main", d).line("side", 7, d);
    p.line(
        "ink@2",
        5,
        "M206 280q30 70 36 110M596 280q-30 60-34 100M204 596q30-50 40-90M598 596q-30-50-40-90",
    );
    p.line("ink@1", 6, "M340 330q60 20 110 0M300 540q90-24 190 4");
}

fn towel(p: &mut Pen) {
    p.bar("walnut", [150, 132, 500, 22, 11])
        .oval("brass", [160, 143, 20, 20])
        .oval("brass", [640, 143, 20, 20]);
    fringe(p, "main-1", (476, 560), 520, 26);
    p.sheet("main-2", "M466 138H566V524H466z");
    fringe(p, "main", (252, 512), 660, 30);
    p.sheet("main", "M240 150Q244 128 270 126H506Q522 128 522 150V664H240z");
    p.fill("side", "M240 580h282v16h-282zM240 606h282v6h-282z")
        .line("ink@1", 6, "M312 160V650M420 160V650")
        .line("white@3", 8, "M276 150V640");
}

fn towels(p: &mut Pen) {
    p.shadow(400, 636, 200);
    for (row, paint) in ["main-1", "main+1", "main", "main+3"].into_iter().enumerate() {
        let (y, x) = (558 - 78 * row, 210 + 6 * (row % 2));
        p.cloth(paint, &format!("M{x} {y}q-26 4-26 40t26 40H{}q20 0 20-40t-20-40z", x + 366));
        p.line("ink@2", 4, &format!("M{} {}h350M{} {}h346", x - 20, y + 38, x - 8, y + 80));
    }
    p.line("side", 10, "M440 322V638").line(
        "side",
        8,
        "M440 322q-60-50-74-14t74 14q60-54 78-16t-78 16M440 322l-34 40M440 322l36 38",
    );
}

fn rug(p: &mut Pen) {
    fringe(p, "oat", (204, 596), 92, 30);
    fringe(p, "oat", (204, 596), 680, 30);
    p.sheet("main", "M200 116H600V684H200z");
    p.fill("main-2", "M200 116H600V150H200zM200 650H600V684H200z")
        .fill("side", "M200 156H600V168H200zM200 632H600V644H200z");
    p.line("ink@1", 3, "M200 260H600M200 330H600M200 470H600M200 540H600M200 400H600");
}

fn scarf(p: &mut Pen) {
    fringe(p, "main-1", (298, 378), 646, 44);
    fringe(p, "main-1", (432, 520), 600, 44);
    p.sheet("main-1", "M430 250L424 606H526L480 240z").sheet("main", "M330 250L290 652H384L420 270z");
    p.sheet("main", "M280 250C250 110 550 110 520 250C500 320 440 330 400 322C360 330 300 320 280 250z");
    p.fill("main-4", "M328 236C330 166 470 166 472 236C450 262 350 262 328 236z")
        .sheet("main+1", "M350 240Q400 262 452 238L466 320Q400 350 340 324z");
    p.fill("side", "M296 600h93l-1 14h-94zM425 556h101v14h-101z").line(
        "ink@1",
        5,
        "M340 350L322 580M460 350L476 540M400 262V320",
    );
}

fn dome(p: &mut Pen) {
    p.shadow(400, 630, 170).body("main", "M232 540C226 300 574 300 568 540z").line(
        "ink@1",
        5,
        "M320 520Q326 420 372 372M400 520V362M480 520Q474 420 428 372",
    );
    p.block("main-1", [214, 500, 372, 132, 46]);
    let ribs: Vec<String> = (244..570).step_by(26).map(|x| format!("M{x} 512V620")).collect();
    p.line("ink@1", 7, &ribs.concat());
}

fn hat(p: &mut Pen) {
    dome(p);
    p.bar("side", [500, 548, 50, 36, 4]);
}

fn bobble(p: &mut Pen) {
    dome(p);
    for turn in 0..12 {
        p.group(&format!("rotate({} 400 316)", turn * 30), |p| {
            p.oval(if turn % 2 == 0 { "side" } else { "side-1" }, [400, 276, 20, 34]);
        });
    }
    p.oval("side+2", [400, 316, 36, 36]);
}

fn socks(p: &mut Pen) {
    for (place, shade) in [("translate(120 -20) rotate(6 400 400)", "main-1"), ("translate(-50 20)", "main")]
    {
        p.group(place, |p| {
            p.sheet(
                shade,
                "M300 140H430V420Q430 450 404 476L300 586Q240 640 190 592Q150 544 200 494L300 400z",
            );
            p.bar("side", [294, 128, 142, 60, 14])
                .fill("side", "M200 494Q150 544 190 592Q236 634 290 596Q250 560 256 510Q226 498 200 494z")
                .line("ink@1", 4, "M310 134v48M332 134v48M354 134v48M376 134v48M398 134v48M420 134v48");
        });
    }
}

fn apron(p: &mut Pen) {
    p.oval("brass", [400, 110, 16, 16]).line("side", 16, "M330 226Q340 130 400 112Q460 130 470 226").line(
        "side",
        12,
        "M222 420Q120 450 150 560M578 420Q680 450 650 560",
    );
    p.sheet("main", "M316 216H484C486 320 540 380 584 400V650Q584 680 556 680H244Q216 680 216 650V400C260 380 314 320 316 216z");
    p.slab("main-1", [300, 440, 200, 150, 12])
        .line("side", 4, "M304 462H496M400 462V588M228 668H572")
        .bar("side", [316, 216, 168, 16, 4])
        .line("ink@1", 6, "M262 420V650M540 420V650");
}

fn tote(p: &mut Pen) {
    p.line("main-3", 18, "M310 330C310 150 490 150 490 330").shadow(400, 636, 190);
    p.body("main", "M226 320Q400 340 574 320L600 620Q602 642 578 642H222Q198 642 200 620z");
    p.line("side", 20, "M330 420V330C330 200 470 200 470 330V420")
        .fill("side", "M316 412h28v40h-28zM456 412h28v40h-28z");
    p.line("ink@2", 4, "M226 340Q400 360 574 340M250 420L236 600M550 420L566 600")
        .oval("side", [400, 530, 52, 52])
        .fill("main", "M400 490q30 40 0 80q-30-40 0-80z");
}

fn sack(p: &mut Pen) {
    p.group("rotate(-14 400 300)", |p| {
        p.solid("oak", "M370 120Q420 90 446 140L450 340H350z").line(
            "walnut",
            8,
            "M376 170l44 30M374 220l48 30M376 270l44 30",
        );
    });
    p.shadow(400, 636, 160).body("main", "M310 300Q400 330 490 300L476 352C580 420 590 560 540 620Q520 642 480 642H320Q280 642 260 620C210 560 220 420 324 352z");
    p.fill("main-2", "M310 300Q400 270 490 300Q400 330 310 300z")
        .line("side", 10, "M322 354Q400 378 478 354")
        .line("side", 7, "M440 366q60 30 40 90M440 366q20 50-6 84")
        .line("ink@1", 6, "M340 390Q290 470 300 600M400 390V600M460 390Q510 470 500 600");
}

fn mitt(p: &mut Pen) {
    p.sheet(
        "main",
        "M190 250H610Q700 250 700 340V420Q700 500 640 500H160Q100 500 100 420V340Q100 250 190 250z",
    );
    p.line("main-2", 3, "M300 250L420 500M360 250L480 500M420 250L540 500M480 250L600 500M500 250L380 500M440 250L320 500M380 250L260 500M320 250L200 500");
    p.sheet("side", "M250 244Q280 380 250 506H160Q94 506 94 420V340Q94 244 190 244z")
        .sheet("side", "M550 244Q520 380 550 506H640Q706 506 706 420V340Q706 244 610 244z");
    p.line("side-3", 4, "M262 260Q286 380 262 490M538 260Q514 380 538 490").line(
        "main-3",
        10,
        "M400 250v-50q0-20 16-20t16 20v50",
    );
}
