//! Whether an address of ours can be reached from the internet, as far as this machine can tell, and how its
//! certificate stands. Follows no redirect: providers do not either.

use std::error::Error;
use std::time::Duration;

use rejoinder_engine::domain::finding::Finding;
use rejoinder_engine::domain::time::{Span, Timestamp};
use reqwest::tls::TlsInfo;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::{built, plain};

/// Providers wait five seconds for a webhook's answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A certificate that ends within this time is not being renewed.
const SOON: Span = Span::days(14);
/// What the server answers there.
const HEALTHY: &str = "ok\n";
/// Bytes of an answer at most; ours has three.
const MAX_ANSWER: usize = 1_024;

const REACHABLE: &str = "public_url";
const CERTIFICATE: &str = "certificate";
const BREAKS: &str =
    "providers cannot deliver webhooks, so that nothing customers write is received";

/// Looks at our public address from outside.
#[derive(Clone, Debug)]
pub struct Probe(reqwest::Client);

impl Probe {
    /// A client that keeps no connection.
    pub fn new() -> Self {
        Self(built(
            plain()
                .timeout(TIMEOUT)
                .pool_max_idle_per_host(0)
                .tls_info(true),
        ))
    }

    /// Whether the server answers at its public address, and whether the certificate there is good.
    pub async fn public_url(&self, public_url: &str, now: Timestamp) -> Vec<Finding> {
        if public_url.is_empty() {
            return vec![
                Finding::bad(REACHABLE, "the server has no `public_url`")
                    .breaks("Twilio's webhooks cannot be verified, and no address can be told to providers")
                    .fix("set `public_url` (REJOINDER_PUBLIC_URL) to the https address that leads to this server"),
            ];
        }
        let response = match self.0.get(format!("{public_url}/healthz")).send().await {
            Ok(response) => response,
            Err(error) => return vec![unreachable(public_url, &error)],
        };
        let info = response.extensions().get::<TlsInfo>();
        let der = info.and_then(|info| info.peer_certificate().map(<[u8]>::to_vec));
        let status = response.status();
        let body = response.bytes().await.unwrap_or_default();
        let is_ours = status.is_success() && body.len() <= MAX_ANSWER && body == HEALTHY;
        let mut findings = vec![if is_ours {
            Finding::good(REACHABLE, format!("{public_url} leads to this server"))
        } else {
            let redirects = if status.is_redirection() {
                ", a redirect, which providers do not follow"
            } else {
                ""
            };
            Finding::bad(REACHABLE, format!("{public_url}/healthz answers {}{redirects}: not this server", status.as_u16()))
                .breaks(BREAKS)
                .fix("let the proxy in front pass every path on to this server as it came, or correct `public_url`")
        }];
        findings.push(match der {
            Some(der) => certificate(&der, now),
            None => Finding::warning(CERTIFICATE, "the address is not https")
                .breaks("providers deliver webhooks to https addresses only")
                .fix("put a proxy that speaks TLS in front of the server"),
        });
        findings
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::new()
    }
}

fn unreachable(public_url: &str, error: &reqwest::Error) -> Finding {
    let reason = reason(error);
    // The check of a certificate names it in its reason.
    if reason.to_lowercase().contains("certificate") {
        return Finding::bad(CERTIFICATE, format!("the certificate of {public_url} is not good: {reason}"))
            .breaks(BREAKS)
            .fix("get a certificate from a public authority for exactly this name, with its chain, and renew it in time");
    }
    let what = if error.is_timeout() {
        "did not answer in time".to_owned()
    } else {
        reason
    };
    Finding::bad(REACHABLE, format!("{public_url} cannot be reached from this machine: {what}"))
        .breaks(BREAKS)
        .fix("see that the server runs, that the name leads to it, and that nothing in between drops connections")
}

/// The innermost reason: those around it say the same in fewer words.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn certificate(der: &[u8], now: Timestamp) -> Finding {
    let Ok(certificate) = Certificate::from_der(der) else {
        return Finding::unknown(CERTIFICATE, "it cannot be read");
    };
    let until = certificate.tbs_certificate.validity.not_after;
    let seconds = i64::try_from(until.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    let until = Timestamp::from_seconds(seconds);
    if until < now + SOON {
        Finding::warning(CERTIFICATE, format!("good until {until}"))
            .breaks("afterwards providers deliver no webhooks")
            .fix("renew it, and let that happen by itself")
    } else {
        Finding::good(CERTIFICATE, format!("good until {until}"))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// A certificate for `rejoinder.example`, good until 2030-01-01, made for this test.
    const CERTIFICATE: &str = "MIIBIzCBy6ADAgECAgEBMAoGCCqGSM49BAMCMBwxGjAYBgNVBAMMEXJlam9pbmRlci5leGFtcGxlMB4XDTI2MDEwMT\
        AwMDAwMFoXDTMwMDEwMTAwMDAwMFowHDEaMBgGA1UEAwwRcmVqb2luZGVyLmV4YW1wbGUwWTATBgcqhkjOPQIBBggq\
        hkjOPQMBBwNCAASbK8BEZJ4L4nMGuEOTK3F/BlTy26AwnHr4ZR1z5+eHZLgiWaot7kbW/yqvqLDvUU9+ZMBUbzsd5U\
        pXyBm56wG7MAoGCCqGSM49BAMCA0cAMEQCIF1i4kUmzKYbHJXk3DQxapKXf7dFE8Q/xSbwkDbq9Xz9AiAZUGc4rQSI\
        C1QrTxqmyhba+mhgZ5aGTPf/WdfFtVK24w==";

    fn state(now: &str) -> (rejoinder_engine::domain::finding::FindingState, String) {
        let der = STANDARD.decode(CERTIFICATE).expect("base64");
        let now = Timestamp::parse_rfc2822(now).expect("a moment");
        let finding = certificate(&der, now);
        (finding.state, finding.evidence)
    }

    #[test]
    fn a_certificate_that_ends_soon_is_a_warning() {
        use rejoinder_engine::domain::finding::FindingState::{Good, Warning};
        let until = "good until 2030-01-01T00:00:00.000Z".to_owned();
        assert_eq!(
            state("Mon, 23 Nov 2026 00:00:00 +0000"),
            (Good, until.clone())
        );
        assert_eq!(state("Tue, 25 Dec 2029 00:00:00 +0000"), (Warning, until));
        assert_eq!(
            super::certificate(b"no certificate", Timestamp::from_ms(0)).evidence,
            "it cannot be read"
        );
    }

    #[tokio::test]
    async fn an_address_where_nobody_listens_is_said_to_be_unreachable() {
        let findings = Probe::new()
            .public_url("http://127.0.0.1:1", Timestamp::from_ms(0))
            .await;
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].evidence.contains("cannot be reached"),
            "{findings:?}"
        );
        let findings = Probe::new().public_url("", Timestamp::from_ms(0)).await;
        assert!(
            findings[0].evidence.contains("no `public_url`"),
            "{findings:?}"
        );
    }
}
