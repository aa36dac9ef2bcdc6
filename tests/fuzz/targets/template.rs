//! Templates: whatever a provider lists of them is read; a script that uses one is checked, and what leaves
//! says all of its values and nothing else.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};

use rejoinder_adapters::meta::{Meta, MetaConfig, request_body};
use rejoinder_engine::adapter::{Adapter, Credentials, Outgoing};
use rejoinder_engine::crypto::Secret;
use rejoinder_engine::domain::channel::Channel;
use rejoinder_engine::domain::contact::{Address, Phone};
use rejoinder_engine::domain::content::{Content, TemplateContent, TemplateValues};
use rejoinder_engine::domain::ids::DeliveryId;
use rejoinder_engine::domain::template::{TemplateParameters, TemplateShape};
use rejoinder_engine::script::{KnownTemplates, ScriptHost, Surroundings};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::bytes;
use crate::script::channel;
use crate::webhook::{META, TWILIO};

/// Values that are put into a template at most.
const MAX_VALUES: usize = 20;

static HOST: LazyLock<ScriptHost> = LazyLock::new(ScriptHost::new);
static PROVIDER: LazyLock<Provider> = LazyLock::new(Provider::start);

/// The answer of Meta's that lists an account's templates.
pub fn run(data: &[u8]) {
    let Some(shapes) = PROVIDER.list(data) else {
        return;
    };
    let written = serde_json::to_string(&shapes).expect("shapes can be written");
    let read: Vec<TemplateShape> = serde_json::from_str(&written).expect("and read");
    assert_eq!(read, shapes);
    for shape in shapes.iter().take(4) {
        check_script(shape, &shapes);
        send(shape, data);
    }
}

/// A script that uses a template is told whether it does so rightly.
fn check_script(shape: &TemplateShape, shapes: &[TemplateShape]) {
    let name = serde_json::to_string(&shape.name).expect("a text");
    let values = match &shape.parameters {
        TemplateParameters::Positional(count) => {
            let values = vec!["\"a\""; (*count).min(MAX_VALUES)];
            format!("[{}]", values.join(", "))
        }
        TemplateParameters::Named(names) => {
            let names = names.iter().take(MAX_VALUES);
            let values: Vec<String> = names.map(|name| format!("\"{name}\": \"a\"")).collect();
            format!("#{{{}}}", values.join(", "))
        }
    };
    let source =
        format!("fn on_message(chat, message) {{ chat.send(template({name}, {values})); }}");
    let surroundings = Surroundings {
        templates: KnownTemplates::All(shapes.to_vec()),
        language: Some(shape.language.clone()),
        ..Surroundings::default()
    };
    let _ = HOST.check(&source, &surroundings);
}

/// What leaves says the values that were given, in their order.
fn send(shape: &TemplateShape, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut words = text.split('"').filter(|word| !word.trim().is_empty());
    let body = match &shape.parameters {
        TemplateParameters::Positional(count) => TemplateValues::Positional(
            words
                .by_ref()
                .take((*count).min(MAX_VALUES))
                .map(str::to_owned)
                .collect(),
        ),
        TemplateParameters::Named(names) => TemplateValues::Named(
            names
                .iter()
                .take(MAX_VALUES)
                .cloned()
                .zip(words.by_ref().map(str::to_owned))
                .collect(),
        ),
    };
    let given: Vec<String> = body.iter().map(|(_, value)| value.to_owned()).collect();
    let content = Content::Template(TemplateContent {
        name: shape.name.clone(),
        language: Some(shape.language.clone()),
        header: None,
        body,
        buttons: Vec::new(),
    });
    let _ = TWILIO.check(&content);
    if META.check(&content).is_err() {
        return;
    }
    let outgoing = Outgoing {
        channel: &PROVIDER.channel,
        credentials: &PROVIDER.credentials,
        to: &Address::Phone(PROVIDER.channel.phone.clone()),
        content: &content,
        language: "en",
        reply_to: None,
        delivery_id: DeliveryId::derive(&[b"delivery"]),
        callback_url: None,
        reference: None,
    };
    let request = request_body(&outgoing);
    assert_eq!(request["template"]["name"], shape.name);
    assert_eq!(values(&request), given, "{request}");
}

/// The values of the body in what leaves.
fn values(request: &Value) -> Vec<String> {
    let components = request["template"]["components"].as_array();
    let body = components
        .into_iter()
        .flatten()
        .find(|component| component["type"] == "body");
    let parameters = body.and_then(|body| body["parameters"].as_array());
    let texts = parameters.into_iter().flatten();
    texts
        .filter_map(|parameter| Some(parameter["text"].as_str()?.to_owned()))
        .collect()
}

/// A provider on loopback that says what it is told to, and whoever asks it.
struct Provider {
    answer: &'static Mutex<Vec<u8>>,
    meta: Meta,
    channel: Channel,
    credentials: Credentials,
    runtime: Runtime,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let answer: &'static Mutex<Vec<u8>> = Box::leak(Box::default());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream, answer));
            }
        });
        let config = MetaConfig {
            base_url: format!("http://{address}"),
            ..MetaConfig::default()
        };
        Self {
            answer,
            meta: Meta::new(config),
            channel: channel(Phone::parse("+4930901820").expect("a number")),
            credentials: [("access_token", Secret::new("token"))]
                .into_iter()
                .collect(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
        }
    }

    /// What is made of a page of templates; nothing if it is none.
    fn list(&self, page: &[u8]) -> Option<Vec<TemplateShape>> {
        page.clone_into(&mut self.answer.lock().expect("no one panics while holding it"));
        let listing = self.meta.templates(&self.channel, &self.credentials);
        self.runtime.block_on(listing).ok().flatten()
    }
}

/// Answers one request after the other.
fn serve(mut stream: TcpStream, answer: &Mutex<Vec<u8>>) {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        request.extend_from_slice(&chunk[..read]);
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            // The next page is empty, or a list that goes on for ever would take for ever.
            let body = std::mem::take(&mut *answer.lock().expect("no one panics"));
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            if stream
                .write_all(&[head.as_bytes(), &body].concat())
                .is_err()
            {
                return;
            }
        }
    }
}

/// What to begin with.
pub fn seeds() -> Vec<Vec<u8>> {
    bytes(&[
        r#"{"data":[]}"#,
        r#"{"data":[{"name":"viewing_reminder","language":"en","status":"APPROVED","category":"UTILITY","components":[{"type":"BODY","text":"Hello {{1}}, see you at {{2}}."}]}]}"#,
        r#"{"data":[{"name":"farewell","language":"pt_BR","status":"PAUSED","category":"MARKETING","parameter_format":"NAMED","components":[{"type":"HEADER","format":"TEXT","text":"{{name}}"},{"type":"BODY","text":"Bye {{first_name}} {{last_name}}"},{"type":"FOOTER","text":"x"},{"type":"BUTTONS","buttons":[{"type":"URL","text":"Go","url":"https://a.example/{{1}}"},{"type":"QUICK_REPLY","text":"No"},{"type":"COPY_CODE","text":"Copy"}]}]}]}"#,
        r#"{"data":[{"name":"big","language":"en","status":"REJECTED","category":"AUTHENTICATION","components":[{"type":"HEADER","format":"IMAGE"},{"type":"BODY","text":"{{18446744073709551615}} {{99}} {{0}} {{ 1 }} {{}}"}]}],"paging":{"cursors":{"after":"x"},"next":"https://a.example/"}}"#,
        r#"{"data":[{"name":"carousel","language":"en","status":"APPROVED","category":"MARKETING","components":[{"type":"CAROUSEL","cards":[{"components":[{"type":"BODY","text":"{{1}}"}]}]},{"type":"LIMITED_TIME_OFFER"},null,3]}]}"#,
    ])
}
