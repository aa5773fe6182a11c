package main

import (
	"runtime"
	"sync"
	"syscall"
	"time"
)

// pacer sends at fixed times whatever the answers do (an open loop). A request is due at its time
// even when every connection is busy then: its wait counts, so nothing is omitted by coordination.
type pacer struct {
	mutex   sync.Mutex
	idle    []int       // connections with nothing under way
	backlog []time.Time // due times that found no idle connection
	conns   []*conn
	lines   []*sequence
	due     []time.Time // of the request under way on each connection
	micros  []float64
	tallies []tally
	pending sync.WaitGroup
}

func runPaced(c *client, set settings) result {
	conns, err := c.dialAll(set.connections)
	if err != nil {
		return broken(err)
	}
	p := &pacer{conns: conns, due: make([]time.Time, len(conns)), tallies: make([]tally, len(conns))}
	for i, opened := range conns {
		line, err := newSequence(c, set, i)
		if err == nil {
			err = line.exchange(opened)
		}
		if err != nil {
			return broken(err)
		}
		p.lines = append(p.lines, line)
		p.idle = append(p.idle, i)
	}
	awaitGo()
	for i := range conns {
		go p.receive(i)
	}
	begin := time.Now()
	p.send(begin, time.Second/time.Duration(set.rate), set.duration)
	p.pending.Wait()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	total := sum(p.tallies, time.Since(begin))
	total.Micros = p.micros
	return total
}

// send runs on a thread of its own and sleeps by nanosleep: the runtime's timers wake up to a
// millisecond late on an idle machine, which is more than what is measured.
func (p *pacer) send(begin time.Time, interval, duration time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const setTimerSlack = 29 // PR_SET_TIMERSLACK
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0)
	for at := interval; at < duration; at += interval {
		if wait := time.Until(begin.Add(at)); wait > 0 {
			pause := syscall.NsecToTimespec(wait.Nanoseconds())
			_ = syscall.Nanosleep(&pause, nil)
		}
		p.pending.Add(1)
		p.mutex.Lock()
		due := begin.Add(at)
		if len(p.idle) == 0 {
			p.backlog = append(p.backlog, due)
			p.mutex.Unlock()
			continue
		}
		i := p.idle[0]
		p.idle = p.idle[1:]
		p.due[i] = due
		p.mutex.Unlock()
		p.write(i)
	}
}

func (p *pacer) write(i int) {
	// A failed write shows as a failed read too, which counts it.
	_, _ = p.conns[i].Write(p.lines[i].take())
}

// receive reads the answers of one connection; what came too late to find an idle one goes out here.
func (p *pacer) receive(i int) {
	for {
		err := p.lines[i].check(p.conns[i])
		arrived := time.Now()
		p.mutex.Lock()
		p.tallies[i].count(err)
		if err == nil {
			p.micros = append(p.micros, float64(arrived.Sub(p.due[i]).Nanoseconds())/1000)
		}
		waiting := len(p.backlog) > 0
		if waiting {
			p.due[i] = p.backlog[0]
			p.backlog = p.backlog[1:]
		} else {
			p.idle = append(p.idle, i)
		}
		p.mutex.Unlock()
		p.pending.Done()
		if waiting {
			p.write(i)
		}
		if err != nil {
			return
		}
	}
}
