//! Lamps.
use super::{Motif, Pen, Scene::*};

pub(super) fn motif(name: &str) -> Option<Motif> {
    Some(match name {
        "desklamp" => (Stand, desk_lamp),
        "lantern" => (Stand, paper_lamp),
        "globe" => (Stand, globe),
        "camplight" => (Stand, lantern),
        "tablelamp" => (Stand, table_lamp),
        _ => return None,
    })
}

fn desk_lamp(p: &mut Pen) {
    p.fill("saffron@3", "M128 352L70 640H440L316 290z")
        .shadow(480, 640, 140)
        .solid("main", "M350 612Q480 570 610 612V630Q480 652 350 630z")
        .line("main-2", 18, "M480 600L580 370L340 180")
        .line("main+1", 6, "M476 596L574 370L336 184")
        .line("steel", 6, "M500 590L596 372")
        .disc("brass", [580, 370, 22, 22])
        .disc("brass", [480, 596, 16, 16]);
    p.group("rotate(28 250 260)", |p| {
        p.oval("white", [238, 350, 88, 26])
            .solid("main", "M200 180H280Q300 250 350 330Q240 372 126 330Q180 250 200 180z")
            .block("main-1", [206, 130, 68, 56, 12]);
    });
    p.disc("brass", [340, 180, 20, 20]);
}

fn paper_lamp(p: &mut Pen) {
    p.glow(400, 400, 379)
        .shadow(400, 640, 160)
        .bar("saffron+6", [270, 200, 260, 400, 8])
        .oval("white@8", [400, 430, 96, 130])
        .bar("saffron@2", [270, 200, 260, 400, 8]);
    p.line("main", 16, "M270 190V640M530 190V640")
        .line("main", 10, "M270 200H530M270 320H530M270 460H530M270 596H530M356 200V596M444 200V596")
        .line("main-2", 4, "M536 200V636")
        .line("side-2@5", 3, "M290 240q40 20 50 60M470 380q30 10 40 50");
}

fn globe(p: &mut Pen) {
    p.glow(400, 330, 356)
        .shadow(400, 640, 150)
        .disc("main", [400, 622, 140, 26])
        .solid("main", "M374 480H426L436 616Q400 626 364 616z")
        .solid("main-1", "M340 470H460V500Q400 520 340 500z")
        .oval("side", [400, 320, 174, 168])
        .oval("saffron+7@9", [400, 320, 160, 154])
        .oval("white@8", [390, 310, 110, 104]);
    p.fill("copper@2", "M556 250C600 400 500 490 400 488C500 460 560 380 556 250z")
        .oval("white", [330, 240, 32, 20])
        .line("walnut", 8, "M530 626C620 640 640 700 780 690");
}

fn lantern(p: &mut Pen) {
    p.glow(400, 420, 299)
        .line("walnut", 18, "M330 250C320 110 480 110 470 250")
        .shadow(400, 638, 140)
        .block("main", [290, 560, 220, 82, 22])
        .bar("saffron+6", [310, 340, 180, 226, 4])
        .oval("white@9", [400, 450, 54, 86])
        .bar("white@3", [310, 340, 34, 226, 4])
        .line("main-1", 10, "M310 340V560M490 340V560M400 340V372M400 530V560");
    p.solid("main", "M280 344C290 270 350 246 400 244S510 270 520 344Q400 372 280 344z")
        .disc("brass", [400, 600, 20, 20])
        .line("ink", 4, "M400 600L410 586")
        .line("white@5", 9, "M314 320q16-36 50-48");
}

fn table_lamp(p: &mut Pen) {
    p.glow(400, 300, 379).shadow(400, 640, 150).disc("main", [400, 622, 130, 26]).solid("main", "M376 380H424C420 430 470 460 462 530C456 580 430 590 430 616H370C370 590 344 580 338 530C330 460 380 430 376 380z").bar("brass", [384, 360, 32, 30, 4]);
    p.fill("saffron+5", "M300 130H500L590 380Q400 430 210 380z")
        .body("side@6", "M300 130H500L590 380Q400 430 210 380z")
        .oval("white@9", [400, 130, 100, 15])
        .line("side-1", 5, "M210 380Q400 430 590 380")
        .line("side-1@3", 4, "M340 140L290 390M400 144V404M460 140L510 390")
        .line("brass", 4, "M450 400V450")
        .oval("brass", [450, 456, 8, 8])
        .line("walnut", 7, "M520 626C600 640 640 700 780 694");
}
