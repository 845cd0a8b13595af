//! A generator in a process of its own: started, listened to, and what others used while it measured.

use std::time::Duration;

use anyhow::Context;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStdout;

use crate::stage;
use crate::window::PATIENCE;

/// Runs this program's `subcommand` as a generator. `look` is called when the time that counts begins and when it
/// ends.
pub(crate) async fn run<R, S, F>(
    subcommand: &str,
    arguments: Vec<String>,
    lasts: Duration,
    mut look: impl FnMut() -> F,
) -> anyhow::Result<(R, S, S)>
where
    R: DeserializeOwned,
    F: Future<Output = anyhow::Result<S>>,
{
    let mut child = stage::again(subcommand, arguments)?.spawn()?;
    let stdout = child.stdout.take().context("the generator has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let conversation = async {
        expect(&mut lines, "begin").await?;
        let before = look().await?;
        expect(&mut lines, "end").await?;
        let after = look().await?;
        let report = lines.next_line().await?.context("the generator ended without a report")?;
        anyhow::Ok((serde_json::from_str(&report)?, before, after))
    };
    // Opening many connections takes its time, and so do answers under way at the end.
    let all = lasts + PATIENCE * 3;
    let told = tokio::time::timeout(all, conversation).await.context("the generator does not end")??;
    child.wait().await?;
    Ok(told)
}

async fn expect(lines: &mut Lines<BufReader<ChildStdout>>, word: &str) -> anyhow::Result<()> {
    let line = lines.next_line().await?.context("the generator failed")?;
    anyhow::ensure!(line == word, "the generator says {line:?} instead of {word:?}");
    Ok(())
}
