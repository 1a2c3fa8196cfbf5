//! The laws of limits, over random histories and over every history of a few exchanges.

use proptest::prelude::*;
use shim_ir::{AliasName, KeyId, PicoUsd, TeamName, Tokens};

use super::{
    Actual, Ask, Budget, BudgetWindow, Correction, Governed, Lease, Limit, Limiter, Limits, Subject,
    Unpriced, usd,
};
use crate::calendar::{DAY_MS, parse_day};

fn start() -> u64 {
    parse_day("2026-11-26").unwrap() + 43_200_000
}

fn budget(amount: u64, window: BudgetWindow) -> Limits {
    let budget = Budget { amount: PicoUsd(amount), window, unpriced: Unpriced::Refuse };
    Limits { budget: Some(budget), ..Limits::default() }
}

fn key(name: &str, limits: Limits) -> Governed {
    Governed { subject: Subject::Key(KeyId::new(name).unwrap()), limits }
}

fn team(limits: Limits) -> Governed {
    Governed { subject: Subject::Team(TeamName::new("team").unwrap()), limits }
}

fn alias(limits: Limits) -> Governed {
    Governed { subject: Subject::Alias(AliasName::new("chat").unwrap()), limits }
}

fn ask(cost: u64, tokens: u64) -> Ask {
    Ask { tokens: Tokens(tokens), cost: PicoUsd(cost), unpriced: false, expires_ms: u64::MAX }
}

fn spent(cost: u64, tokens: u64) -> Actual {
    Actual { cost: Some(PicoUsd(cost)), tokens: Some(Tokens(tokens)) }
}

/// What the account of `who` says: settled, reserved, available.
fn sums(limiter: &mut Limiter, now: u64, who: &Governed) -> (u64, u64, Option<u64>) {
    let account = limiter.accounts(now, std::slice::from_ref(who)).remove(0);
    (account.settled.0, account.reserved.0, account.available.map(|a| a.0))
}

#[test]
fn what_was_reserved_is_settled_and_the_rest_given_back() {
    let (mut limiter, who) = (Limiter::default(), key("k", budget(100, BudgetWindow::Day)));
    let lease = limiter.reserve(start(), &[&who], ask(60, 0)).unwrap();
    assert_eq!(sums(&mut limiter, start(), &who), (0, 60, Some(40)));
    let refusal = limiter.reserve(start(), &[&who], ask(41, 0)).unwrap_err();
    assert!(matches!(refusal.limit, Limit::Budget { held: true, .. }), "{refusal:?}");
    assert_eq!(refusal.retry_after_ms, Some(1_000));
    limiter.settle(start(), lease, spent(25, 0));
    assert_eq!(sums(&mut limiter, start(), &who), (25, 0, Some(75)));
    let refusal = limiter.reserve(start(), &[&who], ask(76, 0)).unwrap_err();
    assert_eq!(refusal.retry_after_ms, Some(DAY_MS / 2), "until the next day");
    assert_eq!(limiter.reserve(start(), &[&who], ask(101, 0)).unwrap_err().retry_after_ms, None);
}

#[test]
fn a_budget_that_is_used_up_takes_nothing_and_begins_anew() {
    let (mut limiter, who) = (Limiter::default(), key("k", budget(10, BudgetWindow::Month)));
    let lease = limiter.reserve(start(), &[&who], ask(10, 0)).unwrap();
    limiter.settle(start(), lease, spent(10, 0));
    assert!(limiter.reserve(start(), &[&who], ask(0, 0)).is_err());
    let next = parse_day("2026-12-01").unwrap();
    assert!(limiter.reserve(next - 1, &[&who], ask(1, 0)).is_err());
    let lease = limiter.reserve(next, &[&who], ask(10, 0)).unwrap();
    // What was admitted in a window is settled in it, whenever it is over.
    let after = parse_day("2027-01-01").unwrap();
    assert_eq!(sums(&mut limiter, after, &who), (0, 0, Some(10)));
    limiter.settle(after, lease, spent(10, 0));
    assert_eq!(sums(&mut limiter, after, &who), (0, 0, Some(10)));
}

#[test]
fn all_or_nothing_is_reserved_of_key_team_and_alias() {
    let mut limiter = Limiter::default();
    let (key, team) = (key("k", budget(100, BudgetWindow::Total)), team(budget(50, BudgetWindow::Total)));
    let alias = alias(Limits { concurrent: Some(1), ..Limits::default() });
    let lease = limiter.reserve(start(), &[&key, &team, &alias], ask(30, 0)).unwrap();
    let refusal = limiter.reserve(start(), &[&key, &team, &alias], ask(30, 0)).unwrap_err();
    assert_eq!((sums(&mut limiter, start(), &key).1, sums(&mut limiter, start(), &team).1), (30, 30));
    assert_eq!(refusal.subject, team.subject, "the first of those that last as long");
    limiter.settle(start(), lease, spent(30, 0));
    let refusal = limiter.reserve(start(), &[&key, &team, &alias], ask(30, 0)).unwrap_err();
    assert_eq!((refusal.subject, refusal.retry_after_ms), (team.subject.clone(), None));
}

#[test]
fn what_has_no_price_is_refused_or_counted() {
    let (mut limiter, refuses) = (Limiter::default(), key("k", budget(10, BudgetWindow::Day)));
    let unpriced = Ask { unpriced: true, ..ask(0, 0) };
    assert_eq!(limiter.reserve(start(), &[&refuses], unpriced).unwrap_err().limit, Limit::Unpriced);
    let mut allows = refuses.clone();
    allows.limits.budget = allows.limits.budget.map(|b| Budget { unpriced: Unpriced::Allow, ..b });
    let lease = limiter.reserve(start(), &[&allows], unpriced).unwrap();
    limiter.settle(start(), lease, Actual::default());
    let account = limiter.accounts(start(), &[allows]).remove(0);
    assert_eq!((account.unpriced, account.settled, account.open), (1, PicoUsd(0), 0));
}

#[test]
fn what_costs_more_than_its_worst_case_is_shown() {
    let (mut limiter, who) = (Limiter::default(), key("k", budget(10, BudgetWindow::Day)));
    let lease = limiter.reserve(start(), &[&who], ask(10, 0)).unwrap();
    limiter.settle(start(), lease, spent(12, 0));
    let account = limiter.accounts(start(), &[who]).remove(0);
    assert_eq!(
        (account.settled, account.overrun, account.available),
        (PicoUsd(12), PicoUsd(2), Some(PicoUsd(0)))
    );
}

#[test]
fn a_lease_expires_and_what_it_came_to_after_all_is_shown() {
    let (mut limiter, who) = (Limiter::default(), key("k", budget(10, BudgetWindow::Total)));
    let lease = limiter.reserve(start(), &[&who], Ask { expires_ms: start() + 500, ..ask(10, 0) }).unwrap();
    assert!(limiter.reserve(start() + 499, &[&who], ask(1, 0)).is_err());
    let other = limiter.reserve(start() + 500, &[&who], ask(10, 0)).unwrap();
    limiter.settle(start() + 600, lease, spent(4, 0));
    limiter.settle(start() + 600, other, spent(10, 0));
    let account = limiter.accounts(start() + 600, &[who]).remove(0);
    assert_eq!((account.settled, account.overrun, account.expired), (PicoUsd(14), PicoUsd(4), 1));
    assert_eq!((account.open, limiter.held()), (0, 0));
}

#[test]
fn what_a_crash_left_behind_is_held_until_it_expires() {
    let (mut limiter, who) = (Limiter::default(), key("k", budget(10, BudgetWindow::Day)));
    assert_eq!(limiter.unknown(start(), std::slice::from_ref(&who)).len(), 1);
    limiter.begin(start(), &who, PicoUsd(3), 2);
    assert!(limiter.unknown(start(), std::slice::from_ref(&who)).is_empty());
    limiter.restore(start(), &[&who], PicoUsd(5), start() - 1_000, start() + 1_000);
    limiter.restore(start(), &[&who], PicoUsd(9), start() - 9_000, start());
    assert_eq!(sums(&mut limiter, start(), &who), (3, 5, Some(2)));
    assert_eq!(sums(&mut limiter, start() + 1_000, &who), (3, 0, Some(7)));
}

#[test]
fn tokens_are_corrected_where_they_were_let_in_and_a_large_request_passes_alone() {
    let limits = Limits { tokens_per_minute: Some(100), ..Limits::default() };
    let (mut limiter, who) = (Limiter::default(), key("k", limits));
    let lease = limiter.reserve(start(), &[&who], ask(0, 1_000)).unwrap();
    let refusal = limiter.reserve(start(), &[&who], ask(0, 1)).unwrap_err();
    assert_eq!((refusal.limit, refusal.retry_after_ms), (Limit::Tokens(100), Some(61_000)));
    limiter.settle(start(), lease, spent(0, 30));
    let _held = limiter.reserve(start(), &[&who], ask(0, 70)).unwrap();
    let refusal = limiter.reserve(start(), &[&who], ask(0, 1_000)).unwrap_err();
    assert_eq!(refusal.standing.tokens.unwrap().remaining, 0);
    assert!(limiter.reserve(start() + 61_000, &[&who], ask(0, 1_000)).is_ok());
}

#[test]
fn amounts_are_written_whole() {
    let written = [0, 250_000_000_000, 12_000_000_000_000, 4_000_000].map(|pico| usd(PicoUsd(pico)));
    assert_eq!(written, ["$0.00", "$0.25", "$12.00", "$0.000004"]);
}

/// What can happen to a gateway with clients at it.
#[derive(Clone, Debug)]
enum Act {
    /// A client with this key asks for so much, and its lease lives so long.
    Reserve { key: usize, cost: u64, tokens: u64, life_ms: u64 },
    /// The exchange that was admitted as one of those under way is over, having used so many hundredths of it.
    Settle { which: prop::sample::Index, percent: u64 },
    /// Time passes.
    Pass(u64),
    /// The gateway dies: nobody settles what is under way, and what the ledger has is taken up again.
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (0usize..3, 0u64..60, 0u64..40, 1_000u64..200_000)
            .prop_map(|(key, cost, tokens, life_ms)| Act::Reserve { key, cost, tokens, life_ms }),
        4 => (any::<prop::sample::Index>(), 0u64..=100)
            .prop_map(|(which, percent)| Act::Settle { which, percent }),
        2 => (0u64..90_000).prop_map(Act::Pass),
        1 => Just(Act::Crash),
    ]
}

/// An exchange under way, as the ledger would know it.
struct Way {
    key: usize,
    lease: Option<Lease>,
    cost: u64,
    tokens: u64,
    at_ms: u64,
    expires_ms: u64,
}

/// A gateway, its ledger, and what must be so.
struct World {
    limiter: Limiter,
    who: [Governed; 3],
    team: Governed,
    now: u64,
    ways: Vec<Way>,
    settled: [u64; 3],
    let_in: Vec<(u64, u64)>,
}

const BUDGET: u64 = 200;
const TEAM: u64 = 350;
const A_MINUTE: u64 = 100;

impl World {
    fn new() -> Self {
        let limits = Limits { concurrent: Some(4), ..budget(BUDGET, BudgetWindow::Total) };
        let who = ["a", "b", "c"].map(|name| key(name, limits.clone()));
        let team = Limits {
            tokens_per_minute: Some(A_MINUTE),
            requests_per_minute: Some(9),
            ..budget(TEAM, BudgetWindow::Total)
        };
        let team = self::team(team);
        let (limiter, now) = (Limiter::default(), start());
        Self { limiter, who, team, now, ways: Vec::new(), settled: [0; 3], let_in: Vec::new() }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Reserve { key, cost, tokens, life_ms } => self.reserve(*key, *cost, *tokens, *life_ms),
            Act::Settle { which, percent } => {
                // Whoever is settled was not late: a gateway's leases outlive its exchanges.
                self.ways.retain(|way| way.expires_ms > self.now);
                let live: Vec<usize> =
                    (0..self.ways.len()).filter(|at| self.ways[*at].lease.is_some()).collect();
                if !live.is_empty() {
                    let way = self.ways.remove(live[which.index(live.len())]);
                    self.settle(way, *percent);
                }
            }
            Act::Pass(ms) => self.now += ms,
            Act::Crash => self.crash(),
        }
    }

    fn reserve(&mut self, key: usize, cost: u64, tokens: u64, life_ms: u64) {
        let expires_ms = self.now + life_ms;
        let ask = Ask { expires_ms, ..ask(cost, tokens) };
        if let Ok(lease) = self.limiter.reserve(self.now, &[&self.who[key], &self.team], ask) {
            self.let_in.push((self.now, tokens));
            let at_ms = self.now;
            self.ways.push(Way { key, lease: Some(lease), cost, tokens, at_ms, expires_ms });
        }
    }

    fn settle(&mut self, way: Way, percent: u64) {
        let (cost, tokens) = (way.cost * percent / 100, way.tokens * percent / 100);
        self.settled[way.key] += cost;
        // Where the place of a request shrinks, so does what was let in at that moment.
        if let Some(entry) = self.let_in.iter_mut().find(|(at, n)| (*at, *n) == (way.at_ms, way.tokens)) {
            entry.1 = tokens;
        }
        self.limiter.settle(self.now, way.lease.unwrap(), spent(cost, tokens));
    }

    fn crash(&mut self) {
        self.limiter = Limiter::default();
        self.let_in.clear();
        for (at, who) in self.who.iter().enumerate() {
            self.limiter.begin(self.now, who, PicoUsd(self.settled[at]), 0);
        }
        self.limiter.begin(self.now, &self.team, PicoUsd(self.settled.iter().sum()), 0);
        for way in &mut self.ways {
            way.lease = None;
            let who = [&self.who[way.key], &self.team];
            self.limiter.restore(self.now, &who, PicoUsd(way.cost), way.at_ms, way.expires_ms);
        }
    }

    /// The laws, at this moment.
    fn check(&mut self) {
        let sum = |key: Option<usize>| {
            let ways = self.ways.iter().filter(|way| way.expires_ms > self.now);
            ways.filter(|way| key.is_none_or(|key| way.key == key)).map(|way| way.cost).sum::<u64>()
        };
        let (keys, all) = ([sum(Some(0)), sum(Some(1)), sum(Some(2))], sum(None));
        for (at, held) in keys.into_iter().enumerate() {
            let (settled, reserved, available) = sums(&mut self.limiter, self.now, &self.who[at]);
            assert_eq!((settled, reserved), (self.settled[at], held), "the account is the sum of its leases");
            assert!(settled + reserved <= BUDGET);
            assert_eq!(available, Some(BUDGET - settled - reserved));
        }
        let (settled, reserved, _) = sums(&mut self.limiter, self.now, &self.team);
        assert_eq!((settled, reserved), (self.settled.iter().sum(), all));
        assert!(settled + reserved <= TEAM);
        let minute = self.let_in.iter().filter(|(at, _)| self.now - at < 60_000);
        assert!(minute.map(|(_, tokens)| tokens).sum::<u64>() <= A_MINUTE);
    }

    /// Once everything is settled or expired, whatever fits into what is left is admitted.
    fn drained(&mut self) {
        self.now = self.ways.iter().map(|way| way.expires_ms).fold(self.now, u64::max) + 61_000;
        let _ = self.limiter.accounts(self.now, &[]);
        assert_eq!(self.limiter.held(), 0);
        for way in self.ways.drain(..) {
            if let Some(lease) = way.lease {
                self.limiter.settle(self.now, lease, spent(0, 0));
            }
        }
        let team = TEAM - self.settled.iter().sum::<u64>();
        for at in 0..3 {
            let left = (BUDGET - self.settled[at]).min(team);
            if left > 0 {
                let lease = self.limiter.reserve(self.now, &[&self.who[at], &self.team], ask(left, A_MINUTE));
                self.limiter.settle(self.now, lease.expect("no stale refusal"), spent(0, 0));
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_overspent_whatever_happens(acts in prop::collection::vec(act(), 0..120)) {
        let mut world = World::new();
        for act in &acts {
            world.act(act);
            world.check();
        }
        world.drained();
    }
}

/// Where an exchange is, in the search over every history.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Under,
    Over,
}

/// The worst cases of the exchanges, on a budget of 100 that takes some of them.
const COSTS: [u64; 4] = [40, 60, 50, 30];

/// How an exchange ends: by expiring.
const EXPIRES: u64 = u64::MAX;

/// Every order in which exchanges can be admitted or refused, and settled or expire. `ends`: how each may end, in
/// hundredths of its worst case.
fn every(path: &mut Vec<(usize, u64)>, places: [Place; 4], ends: &[u64], histories: &mut u64) {
    let mut moved = false;
    for at in 0..COSTS.len() {
        let choices: &[u64] = match places[at] {
            Place::Before => &[0],
            Place::Under => ends,
            Place::Over => continue,
        };
        for choice in choices {
            moved = true;
            let mut next = places;
            next[at] = if places[at] == Place::Before { Place::Under } else { Place::Over };
            path.push((at, *choice));
            every(path, next, ends, histories);
            path.pop();
        }
    }
    if !moved {
        *histories += 1;
        replay(path);
    }
}

/// Plays one history against the machine and against a plain model of it.
fn replay(path: &[(usize, u64)]) {
    const AMOUNT: u64 = 100;
    let (mut limiter, who) = (Limiter::default(), key("k", budget(AMOUNT, BudgetWindow::Total)));
    let mut leases: [Option<Lease>; 4] = [None, None, None, None];
    let (mut settled, mut reserved, mut seen, now) = (0u64, 0u64, [false; 4], start());
    for (at, choice) in path {
        if !std::mem::replace(&mut seen[*at], true) {
            let fits = settled < AMOUNT && settled + reserved + COSTS[*at] <= AMOUNT;
            let lease = limiter.reserve(now, &[&who], ask(COSTS[*at], 0));
            assert_eq!(lease.is_ok(), fits, "{path:?} at {at}");
            leases[*at] = lease.ok();
            reserved += if fits { COSTS[*at] } else { 0 };
        } else if let Some(lease) = leases[*at].take() {
            reserved -= COSTS[*at];
            if *choice == EXPIRES {
                limiter.lapse(&lease);
            } else {
                settled += COSTS[*at] * choice / 100;
                limiter.settle(now, lease, spent(COSTS[*at] * choice / 100, 0));
            }
        }
        assert_eq!(sums(&mut limiter, now, &who), (settled, reserved, Some(AMOUNT - settled - reserved)));
    }
}

#[test]
fn every_history_of_three_exchanges_keeps_the_budget() {
    let mut histories = 0;
    let places = [Place::Before, Place::Before, Place::Before, Place::Over];
    every(&mut Vec::new(), places, &[100, 50, 0, EXPIRES], &mut histories);
    // 6!/2³ orders, each with 4³ ways to end.
    assert_eq!(histories, 90 * 64);
}

#[test]
fn every_history_of_four_exchanges_keeps_the_budget() {
    let mut histories = 0;
    every(&mut Vec::new(), [Place::Before; 4], &[75, EXPIRES], &mut histories);
    // 8!/2⁴ orders, each with 2⁴ ways to end.
    assert_eq!(histories, 2_520 * 16);
}

#[test]
fn a_cost_that_was_reckoned_anew_is_corrected_in_the_window_it_counts_in() {
    let (mut limiter, who) = (Limiter::default(), key("k", budget(100, BudgetWindow::Day)));
    let lease = limiter.reserve(start(), &[&who], ask(60, 0)).unwrap();
    limiter.settle(start(), lease, spent(50, 0));
    let correct = |limiter: &mut Limiter, at_ms: u64, was: Option<u64>, is: Option<u64>| {
        let correction = Correction { was: was.map(PicoUsd), is: is.map(PicoUsd) };
        limiter.correct(start(), &who, at_ms, correction);
        let account = limiter.accounts(start(), std::slice::from_ref(&who)).remove(0);
        (account.settled.0, account.available.unwrap().0, account.unpriced)
    };
    assert_eq!(correct(&mut limiter, start(), Some(50), Some(20)), (20, 80, 0));
    assert_eq!(correct(&mut limiter, start() - DAY_MS, Some(20), Some(90)), (20, 80, 0), "another day's");
    assert_eq!(correct(&mut limiter, start(), Some(20), None), (0, 100, 1));
    assert_eq!(correct(&mut limiter, start(), None, Some(120)), (120, 0, 0));
    assert!(limiter.reserve(start(), &[&who], ask(1, 0)).is_err(), "it is spent");
    assert_eq!(correct(&mut limiter, start(), Some(500), Some(7)), (7, 93, 0), "never less than nothing");
}

proptest! {
    #[test]
    fn corrections_come_to_what_settling_so_would_have(costs in prop::collection::vec((0u64..50, 0u64..50), 1..20)) {
        let (mut corrected, mut settled) = (Limiter::default(), Limiter::default());
        let who = key("k", budget(10_000, BudgetWindow::Month));
        for (was, is) in &costs {
            for (limiter, cost) in [(&mut corrected, was), (&mut settled, is)] {
                let lease = limiter.reserve(start(), &[&who], ask(50, 0)).unwrap();
                limiter.settle(start(), lease, spent(*cost, 0));
            }
        }
        for (was, is) in costs {
            let correction = Correction { was: Some(PicoUsd(was)), is: Some(PicoUsd(is)) };
            corrected.correct(start(), &who, start(), correction);
        }
        prop_assert_eq!(sums(&mut corrected, start(), &who), sums(&mut settled, start(), &who));
    }
}
