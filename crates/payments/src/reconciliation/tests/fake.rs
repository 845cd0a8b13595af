//! A provider whose books are whatever a test writes into them.

use std::sync::Mutex;

use async_trait::async_trait;
use platform::Money;
use time::OffsetDateTime;

use crate::provider::{BalanceLine, BalanceLines, Partial, ProviderError};

#[derive(Default)]
pub(super) struct Fake {
    lines: Mutex<Vec<BalanceLine>>,
    /// Lines of one answer.
    most: Mutex<Option<usize>>,
    /// How many questions it answers still; all, if that is not said.
    answers: Mutex<Option<usize>>,
}

impl Fake {
    pub(super) fn write(&self, line: BalanceLine) {
        self.lines.lock().unwrap().push(line);
    }

    pub(super) fn lines(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    pub(super) fn give_at_most(&self, most: usize) {
        *self.most.lock().unwrap() = Some(most);
    }

    /// Answers so many questions, and is away then.
    pub(super) fn answer(&self, times: Option<usize>) {
        *self.answers.lock().unwrap() = times;
    }
}

fn none() -> ProviderError {
    ProviderError::Unavailable("books only".to_owned())
}

#[async_trait]
impl Partial for Fake {
    async fn balance_lines(&self, after: Option<&str>, limit: u32) -> Result<BalanceLines, ProviderError> {
        tokio::task::yield_now().await;
        if let Some(left) = self.answers.lock().unwrap().as_mut() {
            *left = left.checked_sub(1).ok_or_else(none)?;
        }
        let most = self.most.lock().unwrap().unwrap_or(usize::MAX).min(limit as usize);
        let lines = self.lines.lock().unwrap();
        let from = match after {
            Some(name) => lines.iter().position(|line| line.reference == name).unwrap() + 1,
            None => 0,
        };
        let upto = lines.len().min(from.saturating_add(most));
        Ok(BalanceLines { lines: lines[from..upto].to_vec(), more: upto < lines.len() })
    }
}

/// A line of a payment, to be changed at will.
pub(super) fn line(
    reference: &str,
    kind: crate::provider::LineKind,
    amount: Money,
    at: OffsetDateTime,
) -> BalanceLine {
    BalanceLine {
        reference: reference.to_owned(),
        kind,
        source: format!("of_{reference}"),
        ours: None,
        amount,
        fee: 0,
        at,
    }
}
