//! What is asked of Twilio's list of messages, and what its pages say.

use rejoinder_engine::adapter::{Adapter, Arrivals, Inquiry, Likeness, SendErrorKind, Stretch};
use rejoinder_engine::domain::content::{Content, MediaKind, MediaLink, Place, TemplateContent};
use rejoinder_engine::domain::inbound::{Item, Stage};
use rejoinder_engine::domain::time::Timestamp;
use serde_json::{Value, json};

use super::wire::twilio;
use super::{ACCOUNT, Parcel};

/// Ten minutes into the year 2026.
const ATTEMPTED_AT: Timestamp = Timestamp::from_seconds(1_767_226_200);

/// A message that left, as the list shows it.
fn listed(sid: &str, at: &str, body: &str) -> Value {
    json!({
        "sid": sid, "direction": "outbound-api", "from": "whatsapp:+4930901820", "to": "whatsapp:+5511987654321",
        "body": body, "status": "read", "num_media": "0", "error_code": null,
        "date_created": format!("Thu, 01 Jan 2026 {at} +0000"), "date_sent": null
    })
}

fn page(messages: &[Value], next: Option<&str>) -> String {
    let next = next.map(|query| format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json?{query}"));
    json!({ "messages": messages, "next_page_uri": next }).to_string()
}

fn inquiry(parcel: &Parcel) -> Inquiry<'_> {
    Inquiry {
        channel: &parcel.channel,
        credentials: &parcel.credentials,
        to: &parcel.to,
        content: &parcel.content,
        attempted_at: ATTEMPTED_AT,
    }
}

fn stretch(parcel: &Parcel) -> Stretch<'_> {
    Stretch {
        channel: &parcel.channel,
        credentials: &parcel.credentials,
        since: Timestamp::from_ms(1_767_225_600_999),
        until: ATTEMPTED_AT,
    }
}

#[tokio::test]
async fn the_list_is_followed_back_to_before_the_attempt_and_no_further() {
    let newest = page(
        &[
            listed("SM3", "00:10:02", "oi\r\n"),
            listed("SM2", "00:09:50", "outra coisa"),
        ],
        Some("From=x&PageToken=PASM2"),
    );
    let older = page(
        &[
            listed("SM1", "00:09:01", "oi"),
            listed("SM0", "00:08:59", "oi"),
        ],
        Some("PageToken=PASM0"),
    );
    let (adapter, requests) = twilio(&[("200 OK", &newest), ("200 OK", &older)]).await;
    let parcel = Parcel::text();
    let traces = adapter.seek(&inquiry(&parcel)).await.unwrap();
    let found: Vec<_> = traces
        .iter()
        .map(|trace| (trace.status.provider_id.as_str(), trace.likeness))
        .collect();
    assert_eq!(found, [("SM3", Likeness::Same), ("SM1", Likeness::Same)]);
    assert_eq!(traces[0].status.stage, Stage::Read);
    let requests = requests.await.unwrap();
    let first = format!(
        "GET /2010-04-01/Accounts/{ACCOUNT}/Messages.json?From=whatsapp%3A%2B4930901820&\
         To=whatsapp%3A%2B5511987654321&PageSize=40 HTTP/1.1"
    );
    assert!(requests[0].starts_with(&first), "{}", requests[0]);
    let second =
        format!("GET /2010-04-01/Accounts/{ACCOUNT}/Messages.json?From=x&PageToken=PASM2 HTTP/1.1");
    assert!(requests[1].starts_with(&second), "{}", requests[1]);
}

#[tokio::test]
async fn a_list_without_end_or_sense_proves_nothing() {
    let endless = page(&[listed("SM1", "00:10:00", "x")], Some("PageToken=again"));
    let (adapter, _requests) = twilio(&[("200 OK", endless.as_str()); 5]).await;
    let parcel = Parcel::text();
    adapter.seek(&inquiry(&parcel)).await.unwrap_err();
    for (status, body) in [
        ("200 OK", "{}"),
        ("200 OK", r#"{"messages":[{"body":"oi"}]}"#),
        ("500 Oops", ""),
        ("429 Too Many", r#"{"code":20429}"#),
    ] {
        let (adapter, _requests) = twilio(&[(status, body)]).await;
        let error = adapter.seek(&inquiry(&parcel)).await.unwrap_err();
        assert_ne!(error.kind, SendErrorKind::InDoubt, "{status} {body}");
    }
}

#[tokio::test]
async fn what_the_list_cannot_tell_apart_is_no_proof() {
    let picture = |caption: Option<&str>| {
        Content::Media(MediaLink {
            media: MediaKind::Image,
            url: "https://example.com/a.jpg".to_owned(),
            caption: caption.map(str::to_owned),
            name: None,
        })
    };
    let template = Content::Template(TemplateContent {
        name: "visit".to_owned(),
        language: None,
        header: None,
        body: Default::default(),
        buttons: Vec::new(),
    });
    let place = Content::Location(Place {
        latitude: 1.0,
        longitude: 2.0,
        name: Some("oi".to_owned()),
        address: None,
    });
    let buttons = |text: &str| Content::Buttons {
        text: text.to_owned(),
        buttons: Vec::new(),
    };
    let text = |text: &str| Content::Text {
        text: text.to_owned(),
    };
    for (content, files, expected) in [
        (text("oi"), "0", Some(Likeness::Same)),
        (text("oi"), "1", None),
        (text("oi?"), "0", None),
        (picture(Some("oi")), "1", Some(Likeness::Same)),
        (picture(Some("oi")), "0", Some(Likeness::Perhaps)),
        (picture(None), "1", None),
        (place, "0", Some(Likeness::Same)),
        (buttons("oi"), "0", Some(Likeness::Same)),
        (buttons("oi?"), "0", Some(Likeness::Perhaps)),
        (template, "0", Some(Likeness::Perhaps)),
    ] {
        let mut message = listed("SM1", "00:10:00", "oi");
        message["num_media"] = files.into();
        let (adapter, _requests) = twilio(&[("200 OK", &page(&[message], None))]).await;
        let parcel = Parcel::new(content);
        let traces = adapter.seek(&inquiry(&parcel)).await.unwrap();
        let found = traces.first().map(|trace| trace.likeness);
        assert_eq!(found, expected, "{:?} {files}", parcel.content);
    }
}

#[tokio::test]
async fn a_message_that_failed_is_found_with_its_reason() {
    let mut message = listed("SM1", "00:10:00", "oi");
    message["status"] = "undelivered".into();
    message["error_code"] = 63016.into();
    let (adapter, _requests) = twilio(&[("200 OK", &page(&[message], None))]).await;
    let traces = adapter.seek(&inquiry(&Parcel::text())).await.unwrap();
    let failure = traces[0].status.failure.clone().unwrap();
    assert_eq!(
        (failure.kind.as_str(), failure.provider_code),
        ("window_closed", 63016)
    );
}

#[tokio::test]
async fn what_customers_wrote_is_read_oldest_first_with_its_files() {
    let mut written = listed("SMb", "00:05:00", "olá");
    written["direction"] = "inbound".into();
    written["from"] = "whatsapp:+5511987654321".into();
    written["to"] = "whatsapp:+4930901820".into();
    written["status"] = "received".into();
    let mut picture = written.clone();
    picture["sid"] = "MMa".into();
    picture["num_media"] = "1".into();
    picture["date_created"] = "Thu, 01 Jan 2026 00:04:00 +0000".into();
    let ours = listed("SMc", "00:04:30", "oi");
    let files = r#"{"media_list":[{"sid":"ME1","content_type":"image/jpeg"}]}"#;
    let (adapter, requests) = twilio(&[
        ("200 OK", &page(&[written, ours], Some("PageToken=PASMc"))),
        ("200 OK", &page(&[picture], None)),
        ("200 OK", files),
    ])
    .await;
    let parcel = Parcel::text();
    let Arrivals::Listed(items) = adapter.arrivals(&stretch(&parcel)).await.unwrap() else {
        panic!("they are not many");
    };
    let read: Vec<_> = items
        .iter()
        .map(|inbound| match &inbound.item {
            Item::Message { message, .. } => {
                (message.provider_id.as_str(), inbound.at.unwrap().ms())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        read,
        [("MMa", 1_767_225_840_000), ("SMb", 1_767_225_900_000)]
    );
    let picture = serde_json::to_value(&items[0]).unwrap().to_string();
    assert!(picture.contains(&format!(
        "/2010-04-01/Accounts/{ACCOUNT}/Messages/MMa/Media/ME1"
    )));
    let requests = requests.await.unwrap();
    let first = format!(
        "GET /2010-04-01/Accounts/{ACCOUNT}/Messages.json?To=whatsapp%3A%2B4930901820&\
         DateSent%3E=2026-01-01T00%3A00%3A00Z&DateSent%3C=2026-01-01T00%3A10%3A00Z&PageSize=40 HTTP/1.1"
    );
    assert!(requests[0].starts_with(&first), "{}", requests[0]);
}

#[tokio::test]
async fn a_stretch_with_too_much_in_it_is_not_read_in_part() {
    let endless = page(&[listed("SM1", "00:10:00", "x")], Some("PageToken=again"));
    let (adapter, _requests) = twilio(&[("200 OK", endless.as_str()); 25]).await;
    let arrivals = adapter.arrivals(&stretch(&Parcel::text())).await.unwrap();
    assert!(matches!(arrivals, Arrivals::TooMany), "{arrivals:?}");
}
