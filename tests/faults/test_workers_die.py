"""Workers that die, sleep, come and go under load: nothing lost, nothing twice, and the others go on."""

import random
import signal
import time

from tests.faults.crew import PARTITIONS, Crew, Watch
from tests.faults.load import Load
from tests.faults.verdict import Result, on_engine, pause_s, times

STAY_SECONDS = 3
FENCED = 75
ALL_ASSIGNED = f'"partitions": {list(range(PARTITIONS))}'


@times(small=5, large=300)
def test_workers_killed_at_random_under_load_lose_and_double_nothing(crew: Crew, count: int) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    result = Result("kill -9 worker", crew.engine.name)
    takeovers: list[float] = []
    count = on_engine(count, crew.engine.name)
    crew.start("one")
    crew.start("two")
    load = Load(crew, seed, pause_s(count))
    with Watch(crew) as watch, load.running():
        watch.seconds_until_all_go_on()
        for number in range(count):
            time.sleep(chance.uniform(0.1, 0.6))
            victim = crew.hands[chance.choice(("one", "two"))]
            victim.kill()
            # Every fifth stays dead until the other has all partitions; the rest come back at once, as supervised.
            if number % 5 == 4:
                takeovers.append(watch.seconds_until_all_go_on())
                crew.start(victim.name)
            else:
                crew.start(victim.name, wait=False)
                result.resumed_s.append(watch.seconds_until_all_go_on())
        crew.wait(lambda: all(hand.is_ready for hand in crew.hands.values()), "both work")

    result.count = count
    result.notes = {"takeover_max_s": round(max(takeovers), 2)} if takeovers else {}
    result.judge(crew, load)


@times(small=1, large=50)
def test_a_worker_that_sleeps_through_its_takeover_writes_nothing_stale_and_leaves(crew: Crew, count: int) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    result = Result("SIGSTOP, takeover, SIGCONT", crew.engine.name)
    codes: list[int] = []
    crew.start("one")
    crew.start("two")
    load = Load(crew, seed, pause_s(count))
    with Watch(crew) as watch, load.running():
        watch.seconds_until_all_go_on()
        for _ in range(count):
            sleeper, awake = (crew.hands[it] for it in chance.sample(("one", "two"), 2))
            before = awake.text.count(ALL_ASSIGNED)
            sleeper.signal(signal.SIGSTOP)
            result.resumed_s.append(watch.seconds_until_all_go_on())
            # The watch may have read late what the sleeper had written; only who lost its partitions has to leave.
            crew.wait(lambda it=awake, n=before: it.text.count(ALL_ASSIGNED) > n, "takeover")  # type: ignore[misc]
            time.sleep(chance.uniform(0, 1))
            sleeper.signal(signal.SIGCONT)
            # Whether or not anything was on its way when it fell asleep: it leaves, and does not join as a newcomer.
            crew.wait(lambda it=sleeper: not it.lives, f"{sleeper.name} leaves")  # type: ignore[misc]  # bound now
            codes.append(sleeper.process.wait())
            crew.start(sleeper.name)
            watch.seconds_until_all_go_on()

    result.count = count
    assert codes == [FENCED] * count, f"{codes}\n{crew.talk()}"
    result.judge(crew, load)


@times(small=4, large=100)
def test_workers_that_join_and_leave_all_the_time_lose_and_double_nothing(crew: Crew, count: int) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    result = Result(f"join and leave every {STAY_SECONDS} s", crew.engine.name)
    codes: list[int] = []
    count = on_engine(count, crew.engine.name)
    crew.start("one")
    load = Load(crew, seed, pause_s(count))
    with Watch(crew) as watch, load.running():
        watch.seconds_until_all_go_on()
        for number in range(count):
            guest = crew.start(f"guest-{number}", wait=False)
            time.sleep(STAY_SECONDS)
            if number % 2:
                crew.wait(lambda guest=guest: guest.is_ready, f"{guest.name} works")  # type: ignore[misc]  # bound now
            codes.append(guest.stop())
            result.resumed_s.append(watch.seconds_until_all_go_on())

    result.count = count
    # A request to stop that comes while Python still starts ends the process before it could answer it.
    assert set(codes) <= {0, -signal.SIGTERM}, f"{codes}\n{crew.talk()}"
    result.judge(crew, load)
