"""Ledger, lease, commit and outbox, whatever order things happen in and wherever workers die.

Workers hold claims for as long as they like, wake up late, and die before, between and after their
writes; messages are delivered twice, come back, end in the dead-letter queue, or never come. Then the
storm ends: every drop must have exactly one end, told once.
"""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from tests.memory import NOON
from tests.properties.worlds import DynamoWorld, MemoryWorld, World, aws
from vigil.drops import Drop, Object
from vigil.seeing import Scene, Sighting
from vigil.steady.ledger import Claim, Held, LeaseLost, Result, Settled
from vigil.watch.alerts import alert
from vigil.watch.rules import default_watch

LEASE = timedelta(seconds=20)
HIDDEN = timedelta(seconds=120)
MOST_RECEIVES = 3
RULE = default_watch().rules[0]
SEEN = Scene((Sighting("p-1", "known", 0.9, tags=frozenset({"watch"})),), found=1)
DROPS = tuple(
    Drop(f"d{n}", "faces", "door", Object("photos", f"live/faces/door/{n}.jpg", "v"), NOON) for n in range(3)
)

drops = st.sampled_from(DROPS)


@dataclass
class Message:
    """In its queue, seen from a time on."""

    drop: Drop
    seen_from: datetime
    receives: int = 0


@dataclass(frozen=True)
class Worker:
    claim: Claim
    drop: Drop
    message: Message


class LedgerMachine(RuleBasedStateMachine):
    """All three drops raise one and the same alert: it must be raised once."""

    workers: Bundle[Worker] = Bundle("workers")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.world = self.make()
        self.now, self.names = NOON, 0
        self.queue = [Message(drop, NOON) for drop in DROPS]
        self.dead: list[Message] = []
        self.holder: dict[str, str] = {}
        self.ends: Counter[str] = Counter()
        self.unread: list[str] = []
        self.told: list[str] = []

    def make(self) -> World:
        return MemoryWorld()

    @rule(target=workers, drop=drops)
    def receive(self, drop: Drop):
        for message in self.queue:
            if message.drop == drop and message.seen_from <= self.now:
                return self.take(message)
        return multiple()

    def take(self, message: Message):
        if message.receives >= MOST_RECEIVES:
            self.queue.remove(message)
            self.dead.append(message)
            return multiple()
        message.receives, message.seen_from = message.receives + 1, self.now + HIDDEN
        match self.claim(message.drop):
            case Claim() as claim:
                return Worker(claim, message.drop, message)
            case Held(until):
                message.seen_from = until
            case Settled():
                self.delete(message)
        return multiple()

    def claim(self, drop: Drop) -> Claim | Settled | Held:
        self.names += 1
        owner = f"w{self.names}"
        answer = self.world.ledger.claim(drop, owner=owner, now=self.now, until=self.now + LEASE)
        if isinstance(answer, Claim):
            self.holder[drop.id] = owner
        return answer

    @rule(target=workers, sleeper=workers)
    def overtake(self, sleeper: Worker):
        """A worker sleeps past its lease, and its drop is delivered to another one."""
        self.now += LEASE
        message = Message(sleeper.drop, self.now)
        self.queue.append(message)
        return self.take(message)

    @rule(worker=workers)
    def renew(self, worker: Worker):
        self.attempt(lambda: self.world.ledger.renew(worker.claim, stage="look", until=self.now + LEASE))

    @rule(worker=consumes(workers), answers=st.booleans())
    def keep(self, worker: Worker, answers: bool):
        """Commit, and then answer the queue or die before that."""
        raised = alert(RULE, worker.drop, 0, subject="p-1", status="known")
        result = Result(SEEN, "r1", (raised,), None, {})
        self.settle(
            worker, lambda: self.world.ledger.keep(worker.claim, worker.drop, result, now=self.now), answers
        )

    @rule(worker=consumes(workers), answers=st.booleans())
    def reject(self, worker: Worker, answers: bool):
        words = {"reason": "empty-file", "message": "", "stage": "read"}
        self.settle(worker, lambda: self.world.ledger.reject(worker.claim, **words, now=self.now), answers)

    def settle(self, worker: Worker, write, answers: bool):
        if self.attempt(write):
            assert worker.claim.owner == self.holder[worker.drop.id], "who was taken over wrote"
            self.ends[worker.drop.id] += 1
        elif answers:
            worker.message.seen_from = self.now
            return
        if answers:
            self.delete(worker.message)

    @rule(worker=consumes(workers))
    def fail(self, worker: Worker):
        self.world.ledger.release(worker.claim, stage="look", error="Transient: x", now=self.now)
        worker.message.seen_from = self.now

    @rule(worker=consumes(workers))
    def die(self, worker: Worker):
        """Without a word: message and lease come back by themselves."""

    @rule(drop=drops)
    def deliver_again(self, drop: Drop):
        self.queue.append(Message(drop, self.now))

    @rule(drop=drops)
    def lose_every_message_of_a_drop(self, drop: Drop):
        self.queue = [message for message in self.queue if message.drop != drop]

    @rule(seconds=st.integers(1, 200))
    def let_time_pass(self, seconds: int):
        self.now += timedelta(seconds=seconds)

    @rule(again=st.booleans())
    def triage(self, again: bool):
        for message in self.dead:
            if again:
                self.queue.append(Message(message.drop, self.now))
            else:
                self.quarantine(message)
        self.dead = []

    def quarantine(self, message: Message):
        match self.claim(message.drop):
            case Claim() as claim:
                words = {"reason": "kills-workers", "message": "", "stage": "look"}
                self.world.ledger.quarantine(claim, **words, now=self.now)
                self.ends[message.drop.id] += 1
            case Held(until):
                self.queue.append(Message(message.drop, until))

    @rule(dies=st.booleans())
    def publish(self, dies: bool):
        """Tell the news; a publisher that dies before its answer is handed the same again."""
        self.unread += self.world.news()
        self.told += self.unread
        if not dies:
            self.unread = []

    @invariant()
    def no_drop_has_two_ends(self):
        assert all(count == 1 for count in self.ends.values())

    def teardown(self) -> None:
        try:
            self.end_of_the_storm()
        finally:
            self.stack.close()

    def end_of_the_storm(self) -> None:
        """All workers are dead: time, reconcile, triage and the queue alone bring every drop to its end."""
        self.now += timedelta(hours=1)
        self.queue += [Message(drop, self.now) for drop in DROPS]  # what reconcile announces again
        for _ in range(2 * MOST_RECEIVES):
            for message in list(self.queue):
                worker = self.take(message) if message.seen_from <= self.now else None
                if isinstance(worker, Worker):
                    self.keep(worker, answers=True)
            self.now += HIDDEN
        self.triage(again=False)
        self.publish(dies=False)

        assert self.ends == {drop.id: 1 for drop in DROPS}
        assert {drop.id for drop in DROPS} == {event.split(".")[0] for event in self.told if "." in event}
        assert len({event for event in self.told if "." in event}) == len(DROPS)
        assert len({event for event in self.told if "." not in event}) <= 1

    def delete(self, message: Message) -> None:
        if message in self.queue:
            self.queue.remove(message)

    def attempt(self, write) -> bool:
        try:
            write()
        except LeaseLost:
            return False
        return True


class DynamoMachine(LedgerMachine):
    def make(self) -> World:
        self.stack.enter_context(aws())
        return DynamoWorld()


TestInMemory = LedgerMachine.TestCase
TestInMemory.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

TestOnDynamo = DynamoMachine.TestCase
TestOnDynamo.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
