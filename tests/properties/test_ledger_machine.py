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

from tests.fakes.memory import NOON
from tests.properties.ledger_backends import (
    DynamoBackend,
    LedgerBackend,
    MemoryBackend,
    mocked_aws,
)
from vigil.alerts.alert import create_alert
from vigil.alerts.rules import default_rules
from vigil.drops.ledger import (
    AlreadyCompleted,
    Lease,
    LeaseHeld,
    LeaseLost,
    ProcessingResult,
)
from vigil.drops.messages import Drop, S3Object
from vigil.inference.types import Prediction, Sighting

LEASE = timedelta(seconds=20)
HIDDEN = timedelta(seconds=120)
MAX_RECEIVES = 3
RULE = default_rules().rules[0]
PREDICTION = Prediction((Sighting("p-1", "known", 0.9, tags=frozenset({"watch"})),), found=1)
DROPS = tuple(
    Drop(f"d{n}", "faces", "door", S3Object("photos", f"live/faces/door/{n}.jpg", "v"), NOON)
    for n in range(3)
)

drops = st.sampled_from(DROPS)


@dataclass
class Message:
    """In its queue, seen from a time on."""

    drop: Drop
    visible_from: datetime
    receives: int = 0


@dataclass(frozen=True)
class Worker:
    claim: Lease
    drop: Drop
    message: Message


class LedgerMachine(RuleBasedStateMachine):
    """All three drops raise one and the same alert: it must be raised once."""

    workers: Bundle[Worker] = Bundle("workers")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.world = self.make_backend()
        self.now, self.names = NOON, 0
        self.queue = [Message(drop, NOON) for drop in DROPS]
        self.dead: list[Message] = []
        self.holder: dict[str, str] = {}
        self.ends: Counter[str] = Counter()
        self.unread: list[str] = []
        self.told: list[str] = []

    def make_backend(self) -> LedgerBackend:
        return MemoryBackend()

    @rule(target=workers, drop=drops)
    def receive(self, drop: Drop):
        for message in self.queue:
            if message.drop == drop and message.visible_from <= self.now:
                return self.take(message)
        return multiple()

    def take(self, message: Message):
        if message.receives >= MAX_RECEIVES:
            self.queue.remove(message)
            self.dead.append(message)
            return multiple()
        message.receives, message.visible_from = message.receives + 1, self.now + HIDDEN
        match self.claim(message.drop):
            case Lease() as claim:
                return Worker(claim, message.drop, message)
            case LeaseHeld(until):
                message.visible_from = until
            case AlreadyCompleted():
                self.delete(message)
        return multiple()

    def claim(self, drop: Drop) -> Lease | AlreadyCompleted | LeaseHeld:
        self.names += 1
        owner = f"w{self.names}"
        answer = self.world.ledger.claim(drop, owner=owner, now=self.now, until=self.now + LEASE)
        if isinstance(answer, Lease):
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
        self.attempt(lambda: self.world.ledger.renew(worker.claim, stage="predict", until=self.now + LEASE))

    @rule(worker=consumes(workers), answers=st.booleans())
    def save_result(self, worker: Worker, answers: bool):
        """Commit, and then answer the queue or die before that."""
        raised = create_alert(RULE, worker.drop, 0, subject="p-1", status="known")
        result = ProcessingResult(PREDICTION, "r1", (raised,), None, {})
        self.settle(
            worker,
            lambda: self.world.ledger.save_result(worker.claim, worker.drop, result, now=self.now),
            answers,
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
            worker.message.visible_from = self.now
            return
        if answers:
            self.delete(worker.message)

    @rule(worker=consumes(workers))
    def fail(self, worker: Worker):
        self.world.ledger.release_lease(
            worker.claim, stage="predict", error="Transient: x", dependency="records", now=self.now
        )
        worker.message.visible_from = self.now

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
            case Lease() as claim:
                words = {"reason": "kills-workers", "message": "", "stage": "predict"}
                self.world.ledger.quarantine(claim, **words, now=self.now)
                self.ends[message.drop.id] += 1
            case LeaseHeld(until):
                self.queue.append(Message(message.drop, until))

    @rule(dies=st.booleans())
    def publish(self, dies: bool):
        """Tell the news; a publisher that dies before its answer is handed the same again."""
        self.unread += self.world.new_event_ids()
        self.told += self.unread
        if not dies:
            self.unread = []

    @invariant()
    def no_drop_has_two_ends(self):
        assert all(count == 1 for count in self.ends.values())

    def teardown(self) -> None:
        try:
            self.deliver_everything()
        finally:
            self.stack.close()

    def deliver_everything(self) -> None:
        """All workers are dead: time, reconcile, triage and the queue alone bring every drop to its end."""
        self.now += timedelta(hours=1)
        self.queue += [Message(drop, self.now) for drop in DROPS]  # what reconcile announces again
        for _ in range(2 * MAX_RECEIVES):
            for message in list(self.queue):
                worker = self.take(message) if message.visible_from <= self.now else None
                if isinstance(worker, Worker):
                    self.save_result(worker, answers=True)
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
    def make_backend(self) -> LedgerBackend:
        self.stack.enter_context(mocked_aws())
        return DynamoBackend()


TestInMemory = LedgerMachine.TestCase
TestInMemory.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

TestOnDynamo = DynamoMachine.TestCase
TestOnDynamo.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
