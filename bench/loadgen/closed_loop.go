package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// tally gathers the outcomes of one connection; only its own goroutine touches it.
type tally struct {
	requests, wrong, failed int
	first                   string
}

func (t *tally) count(err error) {
	switch {
	case err == nil:
		t.requests++
		return
	case errors.Is(err, errWrong):
		t.wrong++
	default:
		t.failed++
	}
	if t.first == "" {
		t.first = err.Error()
	}
}

func sum(tallies []tally, elapsed time.Duration) result {
	total := result{Event: "done", Seconds: elapsed.Seconds()}
	for _, one := range tallies {
		total.Requests += one.requests
		total.Wrong += one.wrong
		total.Failed += one.failed
		if total.First == "" {
			total.First = one.first
		}
	}
	return total
}

func broken(err error) result {
	return result{Event: "done", Failed: 1, First: err.Error()}
}

// runThroughput keeps one request under way on each of n connections.
func runThroughput(c *client, set settings) result {
	conns, err := c.dialAll(set.connections)
	if err != nil {
		return broken(err)
	}
	sequences := make([]*sequence, len(conns))
	for i := range conns {
		if sequences[i], err = newSequence(c, set, i); err != nil {
			return broken(err)
		}
		// The first request opens the proxy's upstream connection: not part of the figure.
		if err := sequences[i].exchange(conns[i]); err != nil {
			return broken(err)
		}
	}
	awaitGo()
	return inParallel(len(conns), set.duration, func(i int, stop *atomic.Bool, t *tally) {
		for !stop.Load() {
			err := sequences[i].exchange(conns[i])
			t.count(err)
			if err != nil && !errors.Is(err, errWrong) {
				return
			}
		}
	})
}

// runNewConnections opens a connection for every request, n at a time.
func runNewConnections(c *client, set settings) result {
	awaitGo()
	return inParallel(set.connections, set.duration, func(i int, stop *atomic.Bool, t *tally) {
		requests, err := newSequence(c, set, i)
		if err != nil {
			t.count(err)
			return
		}
		for !stop.Load() {
			t.count(once(c, requests))
			if t.failed > 0 {
				return
			}
		}
	})
}

func once(c *client, requests *sequence) error {
	opened, err := c.dial()
	if err != nil {
		return err
	}
	return errors.Join(requests.exchange(opened), opened.Close())
}

func inParallel(n int, duration time.Duration, run func(int, *atomic.Bool, *tally)) result {
	var stop atomic.Bool
	var running sync.WaitGroup
	tallies := make([]tally, n)
	begin := time.Now()
	timer := time.AfterFunc(duration, func() { stop.Store(true) })
	defer timer.Stop()
	for i := range n {
		running.Go(func() { run(i, &stop, &tallies[i]) })
	}
	running.Wait()
	return sum(tallies, time.Since(begin))
}
