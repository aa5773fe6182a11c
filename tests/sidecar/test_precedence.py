from sidecar.precedence import PATIENCE_S, Precedence


def test_the_file_counts_until_the_watch_has_brought_something() -> None:
    precedence = Precedence()
    assert precedence.file_counts(0)
    assert precedence.is_news(1)
    precedence.lose(1, 10)
    precedence.stand()
    assert precedence.file_counts(2)
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


def test_a_watch_that_is_back_counts_at_once() -> None:
    precedence = Precedence()
    precedence.hear()
    for mend in (precedence.stand, precedence.hear):
        precedence.lose(100, 5000)
        assert precedence.file_counts(1000)
        mend()
        assert not precedence.file_counts(1000)
    precedence.lose(2000, 7000)
    assert not precedence.file_counts(2001)
