from sidecar.precedence import PATIENCE_S, STEADY_S, Precedence


def test_the_file_counts_until_the_watch_has_brought_something() -> None:
    precedence = Precedence()
    assert precedence.file_counts(0)
    assert precedence.is_news(1)
    precedence.lose(1, 10)
    precedence.stand(1)
    assert precedence.file_counts(1 + STEADY_S)
    assert precedence.is_news(1)


def test_while_the_watch_works_the_file_does_not_count() -> None:
    precedence = Precedence()
    precedence.hear()
    assert not precedence.file_counts(1e9)


def test_the_file_counts_again_after_some_time_without_the_watch() -> None:
    precedence = Precedence()
    precedence.hear()
    precedence.lose(100, 5000)
    precedence.lose(200, 9000)
    assert not precedence.file_counts(100 + PATIENCE_S - 0.1)
    assert precedence.file_counts(100 + PATIENCE_S)


def test_but_only_what_was_written_since_it_broke() -> None:
    precedence = Precedence()
    precedence.hear()
    precedence.lose(100, 5000)
    assert not precedence.is_news(4999)
    assert not precedence.is_news(5000)
    assert precedence.is_news(5001)


def test_a_watch_that_brought_the_object_counts_at_once() -> None:
    precedence = Precedence()
    precedence.hear()
    precedence.lose(100, 5000)
    assert precedence.file_counts(1000)
    precedence.hear()
    assert not precedence.file_counts(1000)
    precedence.lose(2000, 7000)
    assert not precedence.file_counts(2001)
    assert not precedence.is_news(7000)


def test_a_watch_that_only_stands_counts_after_a_minute() -> None:
    precedence = Precedence()
    precedence.hear()
    precedence.lose(100, 5000)
    precedence.stand(1000)
    assert precedence.file_counts(1000 + STEADY_S - 0.1)
    assert not precedence.file_counts(1000 + STEADY_S)
    precedence.lose(2000, 7000)
    assert not precedence.file_counts(2000 + PATIENCE_S - 0.1), "it broke anew"
    assert precedence.file_counts(2000 + PATIENCE_S)
    assert not precedence.is_news(7000)


def test_a_watch_that_breaks_again_and_again_is_broken_since_the_first_time() -> None:
    """As by an event that is too large: each new watch is answered, and begins with it."""
    precedence = Precedence()
    precedence.hear()
    for now in range(100, 1000, 30):
        precedence.lose(now, now * 10)
        assert precedence.file_counts(now) == (now - 100 >= PATIENCE_S)
        precedence.stand(now + 29)
    assert precedence.is_news(1001)


def test_one_that_ends_as_asked_is_not_lost_but_mends_only_what_stood() -> None:
    precedence = Precedence()
    precedence.hear()
    precedence.stand(0)
    precedence.end(STEADY_S)
    assert not precedence.file_counts(1e9)
    precedence.lose(100, 5000)
    precedence.stand(110)
    precedence.end(130)
    assert precedence.file_counts(110 + PATIENCE_S), "it stands no more"
    precedence.stand(300)
    precedence.end(300 + STEADY_S)
    assert not precedence.file_counts(1e9)
