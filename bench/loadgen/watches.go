package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// runWatches opens n watches, each on a connection of its own, tells, waits for a line, closes them.
func runWatches(c *client, set settings) result {
	begin := time.Now()
	conns := make([]*conn, set.connections)
	failures := make([]error, set.connections)
	var running sync.WaitGroup
	slots := make(chan struct{}, 20)
	for i := range conns {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			conns[i], failures[i] = openWatch(c, set.target)
		})
	}
	running.Wait()
	if err := errors.Join(failures...); err != nil {
		return broken(err)
	}
	awaitGo()
	total := result{Event: "done", Requests: len(conns), Seconds: time.Since(begin).Seconds()}
	for _, opened := range conns {
		if isOpen(opened) {
			total.StillOpen++
		}
	}
	total.Failed = len(conns) - total.StillOpen
	for _, opened := range conns {
		_ = opened.Close()
	}
	return total
}

func openWatch(c *client, target string) (*conn, error) {
	opened, err := c.dial()
	if err != nil {
		return nil, err
	}
	opened.buffer = make([]byte, 8<<10)
	if _, err := opened.Write(c.request("GET", target, "", nil)); err != nil {
		return nil, err
	}
	if err := opened.readHead(); err != nil {
		return nil, err
	}
	if opened.status != 200 {
		return nil, fmt.Errorf("a watch was answered with %d", opened.status)
	}
	return opened, nil
}

// isOpen tells a healthy idle watch, whose read times out, from one that has ended.
func isOpen(opened *conn) bool {
	_ = opened.SetReadDeadline(time.Now().Add(time.Millisecond))
	opened.start, opened.end = 0, 0
	err := opened.fill()
	var timeout net.Error
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout())
}
