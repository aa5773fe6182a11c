// Command loadgen drives one proxy with one kind of load and checks every answer it gets.
//
// It speaks HTTP/1.1 by hand over crypto/tls so that it costs less than what it measures: the
// machine's cores are shared with the proxy. The protocol with its caller is one line each way: it
// opens its connections, prints {"event":"ready"}, waits for a line, runs, prints one JSON object.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

// settings are the flags, of which each mode uses its own.
type settings struct {
	mode        string
	address     string
	caFile      string
	tokenFile   string
	bodyFile    string
	mix         string
	target      string
	namespace   string
	connections int
	duration    time.Duration
	rate        int
	bytes       int64
	crc         uint
}

// result is what every mode prints at its end. A wrong answer is one that came whole but is not
// what was asked for; a failure is a connection or exchange that broke. Either fails the run.
type result struct {
	Event     string    `json:"event"`
	Requests  int       `json:"requests"`
	Wrong     int       `json:"wrong"`
	Failed    int       `json:"failed"`
	First     string    `json:"first,omitempty"`
	Seconds   float64   `json:"seconds"`
	Micros    []float64 `json:"micros,omitempty"`
	Bytes     int64     `json:"bytes,omitempty"`
	StillOpen int       `json:"stillOpen,omitempty"`
}

var modes = map[string]func(*client, settings) result{
	"throughput": runThroughput,
	"paced":      runPaced,
	"newconn":    runNewConnections,
	"bulk":       runBulk,
	"watches":    runWatches,
}

var stdin = bufio.NewReader(os.Stdin)

// awaitGo tells the caller that all is open, so that it can read the proxy's CPU time first.
func awaitGo() {
	emit(map[string]string{"event": "ready"})
	if _, err := stdin.ReadString('\n'); err != nil {
		os.Exit(1) // the caller is gone
	}
}

func emit(value any) {
	if err := json.NewEncoder(os.Stdout).Encode(value); err != nil {
		os.Exit(1)
	}
}

func main() {
	set := settings{}
	flag.StringVar(&set.address, "address", "", "host:port of the proxy")
	flag.StringVar(&set.caFile, "ca", "", "PEM file that the proxy's certificate must chain to")
	flag.StringVar(&set.tokenFile, "token", "", "file with the bearer token")
	flag.StringVar(&set.bodyFile, "body", "", "file with the body that every answer must carry")
	flag.StringVar(&set.mix, "mix", "A",
		"A: one GET; B: fresh traceparents, 1,000 targets, 10 % POST; C: B, but every target is new")
	flag.StringVar(&set.target, "target", "/api/v1/namespaces/team-a/pods/web-0", "target of mix A")
	flag.StringVar(&set.namespace, "namespace", "team-a", "namespace of the targets of mixes B and C")
	flag.IntVar(&set.connections, "connections", 16, "connections")
	flag.DurationVar(&set.duration, "duration", 4*time.Second, "how long")
	flag.IntVar(&set.rate, "rate", 0, "paced: requests a second; bulk: bytes a second, 0 as fast as it goes")
	flag.Int64Var(&set.bytes, "bytes", 0, "bulk: length that the body must have")
	flag.UintVar(&set.crc, "crc", 0, "bulk: IEEE CRC-32 that the body must have")
	if len(os.Args) < 2 || modes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: loadgen throughput|paced|newconn|bulk|watches [flags]")
		flag.PrintDefaults()
		os.Exit(64)
	}
	set.mode = os.Args[1]
	if err := flag.CommandLine.Parse(os.Args[2:]); err != nil {
		os.Exit(64)
	}
	if set.mode != "paced" {
		runtime.GOMAXPROCS(1) // the other core belongs to the proxy
	}
	target, err := newClient(set)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(64)
	}
	emit(modes[set.mode](target, set))
}
