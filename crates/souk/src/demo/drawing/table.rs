//! Tableware and vases.
use super::{Motif, Pen, Scene::*};

pub(super) fn motif(name: &str) -> Option<Motif> {
    Some(match name {
        "mug" => (Stand, mug),
        "tumbler" => (Stand, tumbler),
        "cup" => (Stand, cup),
        "teapot" => (Stand, teapot),
        "jug" => (Stand, jug),
        "bowl" => (Stand, bowl),
        "bowls" => (Stand, bowls),
        "plate" => (Lie, plate),
        "vase" => (Stand, vase),
        "budvase" => (Stand, bud_vase),
        "moonjar" => (Stand, moon_jar),
        "planter" => (Stand, planter),
        "crock" => (Stand, crock),
        "candlestick" => (Stand, candlestick),
        _ => return None,
    })
}

fn steam(p: &mut Pen) {
    p.line("white@5", 9, "M370 300c-26-30 22-46 0-84M430 306c-24-34 24-50 4-96");
}

fn mug(p: &mut Pen) {
    p.shadow(400, 636, 140).line("main-2", 36, "M520 400C650 376 656 570 508 566").line(
        "main",
        22,
        "M522 398C634 380 642 556 508 560",
    );
    p.body("main", "M264 360Q400 410 536 360V584Q536 642 474 642H326Q264 642 264 584z");
    p.oval("main+3", [400, 360, 136, 31])
        .oval("main-4", [400, 363, 122, 24])
        .oval("soil", [400, 369, 108, 17]);
    steam(p);
}

fn tumbler(p: &mut Pen) {
    p.shadow(400, 636, 110);
    p.body("main", "M278 320Q400 360 522 320C518 430 496 460 498 510C500 570 488 642 456 642H344C312 642 300 570 302 510C304 460 282 430 278 320z");
    p.oval("main+3", [400, 320, 122, 28])
        .oval("main-4", [400, 323, 109, 21])
        .oval("sky@5", [400, 330, 94, 14]);
}

fn cup(p: &mut Pen) {
    p.shadow(400, 640, 220)
        .disc("main-1", [400, 628, 236, 36])
        .oval("main+2", [400, 620, 200, 25])
        .oval("main-3", [400, 622, 120, 14]);
    p.line("main-2", 26, "M526 440C634 424 620 556 500 552").line(
        "main",
        15,
        "M528 438C622 428 612 546 502 547",
    );
    p.body("main", "M262 410Q400 450 538 410C538 540 486 622 446 622H354C314 622 262 540 262 410z");
    p.oval("main+3", [400, 410, 138, 30])
        .oval("main-4", [400, 413, 124, 23])
        .oval("soil", [400, 419, 108, 16])
        .oval("copper@6", [388, 418, 70, 9]);
}

fn teapot(p: &mut Pen) {
    p.shadow(400, 636, 180).line("main-2", 32, "M262 430C140 396 140 590 272 580").line(
        "main+1",
        14,
        "M258 424C152 404 152 574 268 574",
    );
    p.solid("main-1", "M500 500C600 480 600 420 656 362L704 378C672 430 650 570 500 606z")
        .oval("main-5", [684, 373, 22, 9]);
    p.body("main", "M400 350C540 350 580 430 580 500C580 590 510 642 470 642H330C290 642 220 590 220 500C220 430 260 350 400 350z");
    p.body("side", "M304 376C314 326 486 326 496 376Q400 408 304 376z")
        .solid("side-1", "M400 288a30 26 0 1 1-1 0z")
        .line("white@6", 10, "M272 470q8-50 46-72");
}

fn jug(p: &mut Pen) {
    p.shadow(400, 636, 140).line("main-2", 32, "M500 360C640 330 640 560 520 540").line(
        "main+1",
        14,
        "M504 352C624 338 628 540 522 530",
    );
    p.body("main", "M300 310Q400 350 500 310C502 420 548 450 548 530C548 600 500 642 450 642H350C300 642 252 600 252 530C252 450 306 420 300 330L246 292z");
    p.fill("main+3", "M246 290Q300 262 400 282Q500 282 500 312Q400 352 300 334z")
        .fill("main-4", "M268 296Q320 280 400 294Q484 294 484 312Q400 338 306 324z");
    p.line("white@5", 10, "M286 480q-8 40 4 80");
}

fn one_bowl(p: &mut Pen, paint: &str, inside: &str, place: &str) {
    p.group(place, |p| {
        p.shadow(400, 636, 130).block("main-3", [330, 610, 140, 30, 8]);
        p.body(paint, "M190 440Q400 500 610 440C606 560 510 628 460 628H340C290 628 194 560 190 440z");
        p.oval("white@6", [400, 440, 210, 48])
            .oval(inside, [400, 443, 198, 41])
            .fill("ink@2", "M202 443a198 41 0 0 1 396 0a210 56 0 0 0-396 0z");
    });
}

fn bowl(p: &mut Pen) {
    one_bowl(p, "main", "side", "translate(-60 -96) scale(1.15)");
}

fn bowls(p: &mut Pen) {
    one_bowl(p, "main", "side", "translate(-20 40) scale(.92)");
    one_bowl(p, "side", "main+1", "translate(310 250) scale(.66)");
    one_bowl(p, "saffron", "main", "translate(26 410) scale(.46)");
}

fn plate(p: &mut Pen) {
    let round = |r: i32| {
        let (x, d) = (400 - r, 2 * r);
        format!("M{x} 400a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0z")
    };
    if p.is("wave") {
        p.fill("main", "M90 400a310 190 0 1 0 620 0a310 190 0 1 0-620 0z");
        p.sheet("main", "M90 400a310 190 0 1 0 620 0a310 190 0 1 0-620 0z")
            .disc("main+2", [400, 400, 236, 124])
            .ring("main-1", 3, [400, 400, 236, 124]);
        return;
    }
    if p.is("stripe") {
        p.disc("main", [400, 400, 280, 280]);
        for radius in [264, 220, 204] {
            p.ring("side", 7, [400, 400, radius, radius]);
        }
    } else {
        p.sheet("main", &round(280));
    }
    p.ring("main-2", 4, [400, 400, 278, 278]);
    if p.is("speckle") {
        p.ring("saffron", 5, [400, 400, 262, 262]);
    }
    p.ring("side", 8, [400, 400, 236, 236])
        .ring("main-3@4", 5, [400, 400, 186, 186])
        .disc("main+2@6", [400, 400, 182, 182]);
    p.line("white@5", 10, "M196 330A216 216 0 0 1 330 196");
}

fn vase(p: &mut Pen) {
    p.group("translate(32 52) scale(.92)", branches);
}

fn branches(p: &mut Pen) {
    p.line("leaf-2", 6, "M400 320Q380 200 320 120M404 320Q420 200 480 90M400 320Q400 210 398 150");
    for (x, y, turn) in [
        (320, 130, -50),
        (345, 180, -80),
        (378, 230, 40),
        (478, 96, 30),
        (450, 160, 60),
        (424, 220, -30),
        (398, 150, 0),
    ] {
        p.group(&format!("translate({x} {y}) rotate({turn})"), |p| {
            p.fill("moss", "M0 10Q-28-20 0-64Q28-20 0 10z").line("moss+3", 3, "M0 4V-50");
        });
    }
    p.shadow(400, 636, 130);
    p.body("main", "M362 300H438C436 350 446 366 500 400C560 440 552 520 520 570C500 610 480 642 460 642H340C320 642 300 610 280 570C248 520 240 440 300 400C354 366 364 350 362 300z");
    p.oval("main+2", [400, 300, 40, 11])
        .oval("main-5", [400, 302, 31, 7])
        .line("side", 7, "M266 470Q400 516 534 470")
        .line("white@5", 10, "M290 450q-10 40 4 80");
}

fn bud_vase(p: &mut Pen) {
    p.line("leaf-1", 9, "M400 360C404 280 376 240 392 170")
        .fill("leaf", "M396 300Q320 290 300 230Q376 226 396 300zM396 270Q450 250 470 196Q404 204 396 270z");
    for turn in [0, 60, 120, 180, 240, 300] {
        p.group(&format!("translate(392 150) rotate({turn})"), |p| {
            p.fill("brick+2", "M0 0Q-40-40 0-74Q40-40 0 0z").line("brick-1", 3, "M0-16V-50");
        });
    }
    p.oval("saffron", [392, 150, 20, 20]).oval("walnut", [392, 150, 9, 9]).shadow(400, 636, 100);
    p.body("main", "M376 350H424C424 420 432 450 474 490C520 540 500 642 440 642H360C300 642 280 540 326 490C368 450 376 420 376 350z");
    p.oval("main+2", [400, 350, 26, 8]).oval("main-5", [400, 351, 19, 5]).line(
        "white@5",
        9,
        "M332 520q-14 24-8 60",
    );
}

fn moon_jar(p: &mut Pen) {
    p.shadow(400, 636, 150).body("main", "M336 232H464L470 262C580 290 620 380 616 450C610 540 540 590 474 620L468 642H332L326 620C260 590 190 540 184 450C180 380 220 290 330 262z");
    p.oval("main+3", [400, 232, 64, 15])
        .oval("main-4", [400, 234, 54, 10])
        .line("main-2@5", 3, "M185 446Q400 486 615 440")
        .line("white@7", 16, "M236 400q14-60 60-92");
}

fn planter(p: &mut Pen) {
    for (turn, long) in [(-48, 150), (-20, 210), (8, 236), (34, 190), (58, 130)] {
        p.group(&format!("translate(400 400) rotate({turn})"), |p| {
            p.fill("leaf", &format!("M0 0Q-54-{} 0-{long}Q54-{} 0 0z", long / 2, long / 2)).line(
                "leaf+3",
                4,
                &format!("M0 0V-{}", long - 20),
            );
        });
    }
    p.shadow(400, 640, 170).disc("side", [400, 630, 178, 26]).oval("side-3", [400, 625, 150, 18]);
    p.body("main", "M266 400H534L500 632Q400 650 300 632z")
        .solid("main", "M252 372Q400 404 548 372V424Q400 458 252 424z")
        .line("main-2", 4, "M254 428Q400 462 546 428");
}

fn crock(p: &mut Pen) {
    p.shadow(400, 636, 170).body("main", "M240 400Q400 440 560 400C584 480 580 560 552 610Q540 642 500 642H300Q260 642 248 610C220 560 216 480 240 400z");
    p.oval("main-4", [400, 402, 162, 34])
        .solid("side", "M236 394C250 330 550 330 564 394Q400 446 236 394z")
        .solid("main", "M400 290a34 30 0 1 1-1 0z")
        .line("white@5", 10, "M264 480q-8 50 6 92");
}

fn candlestick(p: &mut Pen) {
    p.shadow(400, 636, 190).line("main-2", 24, "M560 600C680 570 690 650 570 632");
    p.disc("main", [400, 612, 200, 40])
        .oval("main-2", [400, 606, 168, 27])
        .solid("main+1", "M352 520H448L460 606Q400 622 340 606z")
        .oval("main+3", [400, 520, 48, 12]);
    p.block("paper", [376, 270, 48, 254, 8]).line("ink", 5, "M400 270V244");
    p.glow(400, 206, 80)
        .fill("saffron", "M400 140C440 190 430 244 400 246C370 244 362 190 400 140z")
        .fill("paper", "M400 192C418 216 414 240 400 242C386 240 384 216 400 192z");
}
