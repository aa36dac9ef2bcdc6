//! A chat with rules: does what a line asks for in a simulated world, and shows what follows.
//! Knows neither where lines come from nor how things look.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use rejoinder_engine::domain::content::Content;
use rejoinder_engine::domain::delivery::DeliveryState;
use rejoinder_engine::domain::ids::{DeliveryId, EventId};
use rejoinder_engine::domain::message::Body;
use rejoinder_engine::domain::run::Outcome;
use rejoinder_engine::domain::time::Timestamp;
use rejoinder_engine::script::{Diagnostic, Severity};
use rejoinder_engine::simulate::{
    Asked, Business, Cause, CustomerKey, Error, Person, Reply, Said, Scene, Source, Workshop,
    World, choices, read_moment,
};

use super::command::{self, COMMANDS, Command, Endpoint};
use super::known;
use super::screen::{Screen, Typed};
use crate::cli::{Failure, files, open};
use crate::out;

/// The customer who is there from the beginning.
const FIRST_CUSTOMER: &str = "Ada";

/// Whether the chat goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Goes,
    /// It does, and what the line asked for could not be done.
    Senseless,
    Ends,
}

pub(super) struct Talk {
    world: World,
    screen: Screen,
    /// Where the rules are, as given.
    paths: Vec<PathBuf>,
    /// Who is being played.
    who: String,
    people: BTreeMap<String, CustomerKey>,
    /// Each customer's latest message.
    said: HashMap<CustomerKey, String>,
    /// The last event that was shown.
    seen: Option<EventId>,
    last: Option<Scene>,
    /// Messages of which there may be news: to whom, and what was shown of them.
    on_their_way: BTreeMap<DeliveryId, (String, String)>,
}

impl Talk {
    /// Opens the world and publishes the rules.
    pub(super) async fn begin(
        workshop: &Workshop,
        business: &Business,
        start: Timestamp,
        paths: Vec<PathBuf>,
    ) -> Result<Self, Failure> {
        let world = World::open(workshop, business, start).await?;
        let mut talk = Self {
            screen: Screen::new(business.time_zone),
            world,
            paths,
            who: String::new(),
            people: BTreeMap::new(),
            said: HashMap::new(),
            seen: None,
            last: None,
            on_their_way: BTreeMap::new(),
        };
        talk.load().await?;
        talk.become_customer(FIRST_CUSTOMER).await?;
        Ok(talk)
    }

    /// Says where and when this is, and by which rules.
    pub(super) fn greet(&self) {
        let location = self.world.location();
        let zone = location.time_zone;
        let local = self.world.now().to_utc().with_timezone(&zone);
        let rules: Vec<&str> = self.world.rules().iter().map(|(_, name)| &**name).collect();
        let text = format!(
            "{} · {}, {zone} · rules: {}",
            location.name,
            local.format("%A %-d %B %Y %H:%M"),
            rules.join(", ")
        );
        for line in out::wrap(&text, out::WIDTH) {
            out::line(&line);
        }
    }

    pub(super) fn ask(&self) {
        self.screen.ask(self.world.now(), &self.who);
    }

    pub(super) fn echo(&self, line: &str) {
        self.screen.echo(self.world.now(), &self.who, line);
    }

    /// Does what a line asks for, and shows what follows from it.
    pub(super) async fn take(&mut self, line: &str) -> Next {
        let command = match command::read(line) {
            Ok(None) => return Next::Goes,
            Ok(Some(Command::Quit)) => return Next::Ends,
            Ok(Some(command)) => command,
            Err(problem) => {
                self.screen.wrong(&problem);
                return Next::Senseless;
            }
        };
        let typed = match command {
            Command::Say(_) => Typed::Shown,
            _ => Typed::Elsewhere,
        };
        let done = self.act(command).await;
        // Also before a refusal something may have happened.
        let shown = self.show_news(typed).await;
        match done.and(shown.map_err(|error| error.to_string())) {
            Ok(()) => Next::Goes,
            Err(problem) => {
                self.screen.wrong(&problem);
                Next::Senseless
            }
        }
    }

    fn key(&self) -> CustomerKey {
        // Whoever is played was made a customer before.
        self.people[&self.who]
    }

    async fn act(&mut self, command: Command) -> Result<(), String> {
        let key = self.key();
        let heard = || self.world.heard(key);
        let done = match command {
            Command::Say(text) => return self.send(Said::from(Body::Text { text })).await,
            Command::Send(thing, text) => return self.send(Said::from(thing.with(text))).await,
            Command::Tap(wanted) => {
                let said = Said::tap(&self.who, &heard(), &self.numbered(wanted))?;
                return self.send(said).await;
            }
            Command::Pick(wanted) => {
                let said = Said::pick(&self.who, &heard(), &self.numbered(wanted))?;
                return self.send(said).await;
            }
            Command::Fill(answers) => {
                let said = Said::fill(&self.who, &heard(), answers)?;
                return self.send(said).await;
            }
            Command::React(emoji) => {
                let said = Said::react(&self.who, &heard(), &emoji)?;
                return self.send(said).await;
            }
            Command::Edit(text) => return self.send(Said::edit(self.said()?, &text)).await,
            Command::Revoke => return self.send(Said::revoke(self.said()?)).await,
            Command::Until(text) => return self.wait_until(&text).await,
            Command::Who => return self.show_customer().await,
            Command::Reload => return self.reload().await,
            Command::Owner(text) => self.world.owner_says(key, &text).await,
            Command::Agent(text) => self.agent_says(text).await,
            Command::Wait(span) => self.world.wait_until(self.world.now() + span).await,
            Command::CloseWindow => self.world.close_window(key),
            Command::Read => self.world.reads(key).await,
            Command::Failed(failure) => self.world.message_fails(key, &failure).await,
            Command::Fail(failure) => self.world.fail_next_send(&failure),
            Command::Endpoint(name, Endpoint::Answers(body)) => {
                let added = self.world.add_endpoint(&name).await;
                self.world.endpoint_answers(&name, 200, &body);
                added
            }
            Command::Endpoint(name, Endpoint::Fails(how)) => {
                let added = self.world.add_endpoint(&name).await;
                added.and_then(|()| self.world.endpoint_fails(&name, &how))
            }
            Command::As(name) => self.become_customer(&name).await,
            Command::Why => {
                self.show_why();
                Ok(())
            }
            Command::Help => {
                self.show_help();
                Ok(())
            }
            Command::Quit => Ok(()),
        };
        done.map_err(|error| error.to_string())
    }

    async fn send(&mut self, said: Said) -> Result<(), String> {
        let key = self.key();
        let sent = self.world.send(key, &said).await;
        let id = sent.map_err(|error| error.to_string())?;
        if said.body.is_line() {
            self.said.insert(key, id);
        }
        Ok(())
    }

    fn said(&self) -> Result<String, String> {
        let said = self.said.get(&self.key()).cloned();
        said.ok_or_else(|| format!("{} has said nothing yet", self.who))
    }

    /// The button or row of that number in the latest message that has any; what is no number stays.
    fn numbered(&self, wanted: String) -> String {
        let Some(place) = wanted
            .parse()
            .ok()
            .and_then(|nth: usize| nth.checked_sub(1))
        else {
            return wanted;
        };
        let heard = self.world.heard(self.key());
        let mut offered = heard.iter().rev().map(|message| choices(&message.content));
        let offered = offered
            .find(|choices| !choices.is_empty())
            .unwrap_or_default();
        let is_named = offered
            .iter()
            .any(|it| it.title == wanted || it.id == wanted);
        match offered.into_iter().nth(place) {
            Some(choice) if !is_named => choice.id,
            _ => wanted,
        }
    }

    async fn agent_says(&mut self, text: String) -> Result<(), Error> {
        let sent = self.world.agent_says(self.key(), Content::Text { text });
        let id = sent.await?;
        self.on_their_way
            .insert(id, (self.who.clone(), String::new()));
        Ok(())
    }

    async fn wait_until(&mut self, text: &str) -> Result<(), String> {
        let zone = self.world.location().time_zone;
        let at = read_moment(text, zone).ok_or_else(|| {
            format!("'{text}' is no time; write for example :until 2026-03-30 09:00")
        })?;
        let waited = self.world.wait_until(at).await;
        waited.map_err(|error| error.to_string())
    }

    async fn become_customer(&mut self, name: &str) -> Result<(), Error> {
        if !self.people.contains_key(name) {
            let person = Person {
                name: name.to_owned(),
                ..Person::default()
            };
            let key = self.world.add_customer(person).await?;
            self.people.insert(name.to_owned(), key);
        }
        name.clone_into(&mut self.who);
        Ok(())
    }

    /// Reads the rules and publishes them; one with a mistake keeps all of them from it.
    async fn load(&mut self) -> Result<(), Failure> {
        let mut sources = Vec::new();
        for path in files::rules(&self.paths)? {
            let name = path.display().to_string();
            let text = open::read_file(&name)?;
            sources.push(Source { name, text });
        }
        let mut mistakes = 0;
        for source in &sources {
            let location = self.world.location().id;
            let engine = self.world.engine();
            let found = engine.check_rule(location, &source.text).await?.diagnostics;
            let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
            for mistake in found.iter().filter(is_error) {
                mistakes += 1;
                out::diagnostic_in(&source.name, &source.text, mistake);
            }
        }
        if mistakes > 0 {
            return Err(Failure::new(match mistakes {
                1 => "the rules have a mistake; correct it and try again".to_owned(),
                many => format!("the rules have {many} mistakes; correct them and try again"),
            }));
        }
        for source in &sources {
            self.world.publish(&source.name, &source.text).await?;
        }
        let rules = self.world.rules().iter();
        let gone = rules.filter(|(_, name)| sources.iter().all(|source| source.name != *name));
        for id in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.world.retire(id).await?;
        }
        Ok(())
    }

    async fn reload(&mut self) -> Result<(), String> {
        match self.load().await {
            Ok(()) => {
                self.screen.note("the rules were read again");
                Ok(())
            }
            Err(failure) => Err(format!("{failure}; the old ones stay")),
        }
    }

    /// Shows what has happened since the last time, each thing at its own time.
    async fn show_news(&mut self, typed: Typed) -> Result<(), Error> {
        let mut typed = typed;
        let mut late = self.late().await?;
        loop {
            let story = self.world.story(self.seen).await?;
            if story.scenes.is_empty() {
                break;
            }
            for mut scene in story.scenes {
                self.show_late(&mut late, Some(scene.at));
                self.seen = Some(scene.event_id);
                if is_routine(&scene) {
                    continue;
                }
                self.last = Some(scene.clone());
                for reply in &scene.replies {
                    if may_change(reply.state) {
                        let shown = (scene.customer.clone(), reply.remark());
                        self.on_their_way.insert(reply.delivery_id, shown);
                    }
                }
                let later = scene.replies.extract_if(.., |reply| reply.at > scene.at);
                late.extend(later.map(|reply| (scene.customer.clone(), reply)));
                late.sort_by_key(|(_, reply)| reply.at);
                if scene.cause == Cause::Customer {
                    // Only what the customer typed stands there already, not what it led to.
                    self.screen.scene(&scene, typed);
                    typed = Typed::Elsewhere;
                } else {
                    self.screen.scene(&scene, Typed::Elsewhere);
                }
            }
        }
        self.show_late(&mut late, None);
        Ok(())
    }

    /// Shows the messages that came further before a moment.
    fn show_late(&self, late: &mut Vec<(String, Reply)>, before: Option<Timestamp>) {
        let count = late.partition_point(|(_, reply)| before.is_none_or(|at| reply.at < at));
        for (customer, reply) in late.drain(..count) {
            self.screen.reply(&customer, &reply);
        }
    }

    /// Messages that came further since they were shown, in the order in which they did.
    async fn late(&mut self) -> Result<Vec<(String, Reply)>, Error> {
        let store = self.world.engine().store().of(self.world.location().id);
        let mut late = Vec::new();
        for (id, (customer, shown)) in std::mem::take(&mut self.on_their_way) {
            let Some(row) = store.delivery(id).await? else {
                continue;
            };
            let reply = Reply::from(row);
            let remark = reply.remark();
            if may_change(reply.state) {
                self.on_their_way
                    .insert(id, (customer.clone(), remark.clone()));
            }
            if remark != shown {
                late.push((customer, reply));
            }
        }
        late.sort_by_key(|(_, reply)| reply.at);
        Ok(late)
    }

    fn show_why(&self) {
        match &self.last {
            Some(scene) => self.screen.in_full(scene),
            None => self.screen.note("nothing has happened yet"),
        }
    }

    fn show_help(&self) {
        for (name, example, what) in COMMANDS {
            let usage = match name {
                ":" => format!("::{example}"),
                name => format!(":{name} {example}"),
            };
            self.screen.pair(&usage, what);
        }
    }

    async fn show_customer(&self) -> Result<(), String> {
        let told = known::tell(&self.world, self.key(), &self.who).await;
        for line in told.map_err(|error| error.to_string())? {
            self.screen.note(&line);
        }
        Ok(())
    }
}

/// Whether the provider only told what nobody did anything about: that a message left, or arrived.
fn is_routine(scene: &Scene) -> bool {
    let did_nothing =
        |asked: &Asked| asked.trace.is_empty() && matches!(asked.outcome, Outcome::Nothing);
    scene.cause == Cause::Provider && scene.asked.iter().all(did_nothing)
}

/// Whether there may be news of a message.
const fn may_change(state: DeliveryState) -> bool {
    matches!(
        state,
        DeliveryState::Ready | DeliveryState::Sending | DeliveryState::InDoubt
    )
}
