//! Speakers, headphones, players and their small parts.
use super::{Motif, Pen, Scene::*};

pub(super) fn motif(name: &str) -> Option<Motif> {
    Some(match name {
        "speaker" => (Stand, speaker),
        "portable" => (Stand, portable),
        "headphones" => (Lie, wired),
        "wireless" => (Lie, headphones),
        "earphones" => (Lie, earphones),
        "buds" => (Stand, buds),
        "radio" => (Stand, radio),
        "turntable" => (Lie, turntable),
        "cassette" => (Lie, cassette),
        "amp" => (Stand, amp),
        "mic" => (Stand, mic),
        "cable" => (Lie, cable),
        "pads" => (Lie, pads),
        "drivers" => (Lie, drivers),
        "clock" => (Stand, clock),
        _ => return None,
    })
}

fn speaker(p: &mut Pen) {
    p.shadow(420, 640, 170)
        .fill("main-3", "M530 170L590 196V620L530 642z")
        .slab("main", [250, 168, 284, 474, 14])
        .slab("ink", [268, 186, 248, 438, 8]);
    p.ring("steel-2", 6, [392, 270, 52, 52])
        .disc("ink+2", [392, 270, 48, 48])
        .disc("side", [392, 270, 22, 22])
        .ring("steel-1", 8, [392, 462, 108, 108])
        .disc("ink+1", [392, 462, 102, 102])
        .ring("ink+3", 4, [392, 462, 78, 78])
        .disc("side", [392, 462, 38, 38])
        .oval("white@4", [380, 448, 13, 9]);
    for (x, y) in [(284, 202), (500, 202), (284, 608), (500, 608)] {
        p.disc("steel", [x, y, 6, 6]);
    }
}

fn portable(p: &mut Pen) {
    p.line("walnut", 20, "M250 360C250 190 550 190 550 360")
        .shadow(400, 638, 230)
        .block("main", [180, 340, 440, 300, 60])
        .slab("main-2", [206, 366, 300, 248, 40]);
    let rows: Vec<String> = (390..610).step_by(24).map(|y| format!("M232 {y}H486")).collect();
    p.raw(&format!("<path d=\"{}\" stroke=\"#26140f\" stroke-opacity=\".5\" stroke-width=\"11\" stroke-dasharray=\"0 23\"/>", rows.concat()));
    p.disc("side", [562, 430, 34, 34])
        .line("ink", 5, "M562 430L578 408")
        .oval("saffron+2", [562, 504, 7, 7])
        .line("ink@4", 5, "M546 550h32M546 570h32")
        .line("white@5", 10, "M240 354H480");
}

fn wired(p: &mut Pen) {
    headphones(p);
    p.line("side-2", 8, "M160 664C170 760 330 690 400 740S560 760 600 720");
}

fn headphones(p: &mut Pen) {
    p.line("main-1", 46, "M176 470C150 120 650 120 624 470")
        .line("main+1", 14, "M172 440C156 136 644 136 628 440")
        .line("side", 22, "M300 214Q400 168 500 214")
        .line("steel", 20, "M178 420V470M622 420V470");
    for x in [122, 550] {
        p.slab("side", [x, 430, 128, 236, 60])
            .slab("main", [x + if x < 400 { -14 } else { 62 }, 446, 80, 204, 38])
            .line("ink@2", 5, &format!("M{} 470v150", x + 64));
    }
}

fn earphones(p: &mut Pen) {
    p.line("main", 10, "M280 300C260 420 380 460 400 540M520 300C540 420 420 460 400 540M400 540C400 640 240 600 240 690S420 740 520 690S640 600 560 580").slab("side", [386, 516, 28, 60, 12]);
    for (x, turn) in [(280, -24), (520, 24)] {
        p.group(&format!("translate({x} 250) rotate({turn})"), |p| {
            p.slab("side", [-24, 0, 48, 84, 18])
                .disc("main", [0, -20, 62, 62])
                .disc("side", [0, -20, 36, 36])
                .oval("ink", [0, -20, 16, 16])
                .oval("white@4", [-20, -40, 12, 8]);
        });
    }
    p.slab("steel", [548, 564, 60, 30, 6]).slab("side", [600, 570, 60, 18, 6]);
}

fn buds(p: &mut Pen) {
    p.shadow(400, 638, 200)
        .solid("main-1", "M220 440C220 240 580 240 580 440z")
        .fill("main-3", "M248 436C256 280 544 280 552 436z");
    for (x, turn) in [(322, -20), (478, 20)] {
        p.group(&format!("translate({x} 400) rotate({turn})"), |p| {
            p.block("side", [-16, -20, 32, 100, 16])
                .disc("side+1", [0, -26, 40, 36])
                .fill("side-2", "M-16-30h32v8h-32zM-16-18h32v6h-32z");
        });
    }
    p.solid("main", "M200 450Q400 494 600 450V560Q600 640 520 640H280Q200 640 200 560z")
        .oval("saffron+1", [400, 566, 8, 8]);
    p.line("main+3", 5, "M202 452Q400 496 598 452").line("white@5", 10, "M232 506V570");
}

fn radio(p: &mut Pen) {
    p.line("steel-1", 8, "M560 330L690 90")
        .oval("steel", [691, 88, 11, 11])
        .line("side-2", 20, "M240 330Q240 250 300 250H500Q560 250 560 330")
        .shadow(400, 638, 270)
        .block("main", [130, 320, 540, 320, 40])
        .slab("side", [156, 346, 488, 268, 22]);
    let rows: Vec<String> = (372..600).step_by(22).map(|y| format!("M180 {y}H384")).collect();
    p.line("main-2", 9, &rows.concat())
        .slab("paper", [414, 370, 206, 84, 8])
        .line("ink@6", 3, "M430 420h174M440 400v20M470 408v12M500 400v20M530 408v12M560 400v20M590 408v12")
        .line("brick", 5, "M512 380V446");
    for x in [450, 576] {
        p.disc("main", [x, 534, 42, 42]).disc("main+2", [x, 534, 28, 28]).line(
            "ink",
            5,
            &format!("M{x} 534l14-20"),
        );
    }
    p.oval("saffron", [513, 590, 7, 7]);
}

fn turntable(p: &mut Pen) {
    p.slab("main", [90, 160, 620, 490, 20]).line("main-2@5", 4, "M100 230C300 216 500 250 700 232M100 580C300 600 500 570 700 590M100 480q40 6 60 0M620 420q60 6 80 0").disc("steel", [340, 404, 218, 218]).disc("ink", [340, 404, 206, 206]);
    for radius in [186, 166, 146, 126, 106] {
        p.ring("ink+2", 3, [340, 404, radius, radius]);
    }
    p.fill("white@1", "M340 404L200 250A206 206 0 0 1 270 210z")
        .fill("white@1", "M340 404L480 558A206 206 0 0 1 410 598z")
        .disc("brick", [340, 404, 70, 70])
        .ring("saffron", 5, [340, 404, 48, 48])
        .oval("steel+3", [340, 404, 8, 8]);
    p.disc("steel", [622, 244, 46, 46])
        .disc("steel+3", [622, 244, 24, 24])
        .line("steel", 15, "M622 190V440L520 530")
        .line("white@6", 4, "M619 210V438L518 526")
        .slab("ink", [490, 508, 46, 58, 6])
        .disc("steel-1", [640, 590, 26, 26])
        .disc("steel-1", [570, 606, 14, 14]);
}

fn cassette(p: &mut Pen) {
    p.slab("main", [120, 150, 560, 520, 30])
        .slab("main-2", [150, 230, 420, 400, 18])
        .bar("ink@6", [180, 270, 360, 260, 14])
        .slab("paper", [196, 300, 328, 200, 12])
        .bar("side", [196, 330, 328, 26, 0])
        .bar("saffron", [196, 356, 328, 14, 0])
        .slab("ink", [250, 390, 220, 74, 36]);
    for x in [292, 428] {
        p.disc("paper", [x, 427, 27, 27])
            .line("ink", 6, &format!("M{x} 427m-18 0h36M{x} 427m0-18v36"))
            .oval("ink", [x, 427, 10, 10]);
    }
    for (y, paint) in [(240, "side"), (320, "steel"), (400, "steel"), (480, "steel"), (560, "steel")] {
        p.slab(paint, [600, y, 52, 62, 10]);
    }
    p.slab("steel-1", [170, 172, 230, 34, 12])
        .oval("ink", [620, 190, 16, 16])
        .bar("ink@5", [220, 560, 280, 10, 5])
        .bar("ink@5", [220, 586, 280, 10, 5]);
}

fn amp(p: &mut Pen) {
    p.shadow(400, 640, 290)
        .fill("main+3", "M120 430L180 380H660L690 430z")
        .slab("main", [116, 428, 578, 196, 16])
        .slab("side", [140, 450, 530, 152, 10])
        .block("ink", [170, 620, 60, 24, 6])
        .block("ink", [570, 620, 60, 24, 6]);
    p.disc("steel", [540, 526, 66, 66])
        .disc("steel+2", [540, 526, 50, 50])
        .line("brick", 7, "M540 500V470")
        .oval("ink", [216, 556, 18, 18])
        .ring("brass", 6, [216, 556, 22, 22])
        .oval("ink", [286, 556, 12, 12])
        .ring("steel", 5, [286, 556, 16, 16]);
    p.bar("saffron@3", [186, 472, 230, 36, 6])
        .line("saffron+1", 5, "M204 490h26M246 490h40M302 490h20M338 490h56")
        .line("steel@6", 4, "M360 560h50M360 574h30")
        .line("ink@3", 4, "M220 400h420M206 412h450");
}

fn mic(p: &mut Pen) {
    p.shadow(400, 640, 170)
        .disc("side", [400, 622, 160, 28])
        .oval("side+2", [400, 614, 150, 22])
        .block("main-2", [388, 500, 24, 114, 6])
        .line("side", 20, "M270 330V400C270 520 530 520 530 400V330")
        .block("main", [310, 140, 180, 340, 90])
        .slab("side", [310, 330, 180, 60, 0]);
    let mesh: Vec<String> = (196..326)
        .step_by(20)
        .map(|y| format!("M322 {y}H478"))
        .chain((350..460).step_by(20).map(|x| format!("M{x} 158V324")))
        .collect();
    p.line("ink@3", 4, &mesh.concat()).oval("brick", [400, 360, 12, 12]).line("white@5", 10, "M338 210V320");
}

fn cable(p: &mut Pen) {
    for (index, radius) in [238, 212, 186].into_iter().enumerate() {
        let (x, y) = (400 + i32::try_from(index).unwrap_or_default() * 9, 390);
        p.ring("main-2", 26, [x, y, radius, radius - 10]).ring("main", 19, [x, y, radius, radius - 10]);
        p.raw(&format!("<ellipse cx=\"{x}\" cy=\"{y}\" rx=\"{radius}\" ry=\"{}\" fill=\"none\" stroke=\"#fff3d6\" stroke-opacity=\".4\" stroke-width=\"12\" stroke-dasharray=\"4 9\" stroke-linecap=\"butt\"/>", radius - 10));
    }
    p.line("main", 20, "M590 520C640 600 560 640 600 700M220 540C150 600 210 650 170 690")
        .slab("side", [574, 670, 52, 70, 10])
        .slab("steel", [584, 736, 32, 34, 4])
        .slab("side", [142, 664, 52, 70, 10])
        .slab("steel", [152, 730, 32, 34, 4])
        .slab("walnut", [370, 560, 80, 78, 14])
        .disc("brass", [410, 600, 12, 12]);
}

fn pads(p: &mut Pen) {
    for (x, y) in [(280, 330), (530, 480)] {
        p.disc("main", [x, y, 170, 190])
            .ring("main+2@5", 12, [x, y, 140, 160])
            .disc("main-3", [x, y, 84, 104])
            .ring("ink@4", 4, [x, y, 164, 184])
            .line(
                "side@6",
                4,
                &format!("M{} {y}h112M{} {}h100M{} {}h100", x - 56, x - 50, y - 44, x - 50, y + 44),
            )
            .line("white@4", 12, &format!("M{} {}q24-80 92-104", x - 140, y - 40));
    }
}

fn drivers(p: &mut Pen) {
    p.slab("oat", [110, 210, 580, 420, 20]).line("walnut", 4, "M126 226H674V614H126z");
    for (index, x) in (170..680).step_by(92).enumerate() {
        let long = 140 + (index * 53) % 90;
        p.block("steel", [x - 9, 500, 18, long, 4])
            .block("main", [x - 28, 270, 56, 240, 20])
            .bar("side", [x - 28, 300, 56, 14, 3])
            .oval("steel", [x, 268, 20, 10])
            .bar("main-3@5", [x - 12, 340, 6, 140, 3])
            .bar("main-3@5", [x + 6, 340, 6, 140, 3]);
    }
    p.slab("oat-1", [110, 440, 580, 110, 10]).line(
        "walnut",
        4,
        "M126 456H674M216 446V546M308 446V546M400 446V546M492 446V546M584 446V546",
    );
}

fn clock(p: &mut Pen) {
    p.shadow(400, 640, 180)
        .line("walnut", 26, "M300 580L260 640M500 580L540 640")
        .solid("main", "M400 190a210 210 0 1 1-1 0z")
        .disc("white", [400, 400, 172, 172])
        .ring("main-2", 5, [400, 400, 172, 172]);
    for hour in 0..12 {
        p.group(&format!("rotate({} 400 400)", hour * 30), |p| {
            p.bar("ink", [396, 244, 8, if hour % 3 == 0 { 28 } else { 14 }, 3]);
        });
    }
    p.line("ink", 13, "M400 400L334 330")
        .line("ink", 9, "M400 400L474 288")
        .line("brick", 5, "M380 440L430 290")
        .oval("brick", [400, 400, 13, 13])
        .block("side", [370, 160, 60, 36, 12]);
}
