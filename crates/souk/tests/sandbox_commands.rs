//! `souk sandbox`: what is asked of the sandbox at the server's own shell.

mod program;

use program::{data_folder, told as souk};

/// The clock goes on, chaos is set and ended, and things happen; what can not happen is told.
#[test]
fn the_sandbox_is_played_with() {
    let folder = data_folder();
    let data = folder.path();
    let (shown, said) = souk(data, &["sandbox", "clock", "show"], "");
    assert!(shown && said.contains("0s ahead"), "{said}");
    let (moved, said) = souk(data, &["sandbox", "clock", "advance", "3d"], "");
    assert!(moved && said.contains("3d ahead"), "{said}");
    let (moved, said) = souk(data, &["sandbox", "clock", "advance", "three days"], "");
    assert!(!moved && said.contains("10s, 30m, 12h, 3d"), "{said}");
    let (set, said) =
        souk(data, &["sandbox", "chaos", "--copies", "5", "--shuffle", "true", "--delay", "30s"], "");
    assert!(
        set && said.contains("copies             5") && said.contains("delay              30s"),
        "{said}"
    );
    let (reset, said) = souk(data, &["sandbox", "chaos", "--reset"], "");
    assert!(
        reset && said.contains("copies             1") && said.contains("shuffle            false"),
        "{said}"
    );
    let (opened, said) = souk(data, &["sandbox", "page", "--amount", "1999"], "");
    assert!(opened && said.contains("http://127.0.0.1:3000/sandbox/pay?session=cs_sandbox_"), "{said}");
    let unknown = "019a9c2e-5d10-7c6e-9a41-0f4b8a2d7c11";
    let (triggered, said) = souk(data, &["sandbox", "trigger", "dispute.created", "--payment", unknown], "");
    assert!(!triggered && said.contains("knows no such payment"), "{said}");
    let (triggered, said) = souk(data, &["sandbox", "trigger", "payment.vanished"], "");
    assert!(!triggered && said.contains("payment.vanished"), "{said}");
    let (triggered, said) = souk(data, &["sandbox", "trigger", "payout.failed"], "");
    assert!(!triggered && said.contains("say which payout"), "{said}");
}
