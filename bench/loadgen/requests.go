package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
)

const (
	targets      = 1000
	postEvery    = 10
	postBodySize = 762
	hexDigits    = "0123456789abcdef"
	// The same shape and length as a sampled W3C traceparent; the zeros are overwritten.
	traceparent = "00-00000000000000000000000000000000-0000000000000000-01"
	freshName   = "item-0000000000000000" // of mix C: its digits are overwritten too
)

var kinds = []string{"pods", "configmaps", "services", "endpoints", "serviceaccounts"}

// sequence makes the requests of one connection in the order of their sending.
type sequence struct {
	fixed    []byte
	gets     []template
	posts    []template
	next     int
	scratch  []byte
	random   *rand.PCG
	isPost   bool
	expected []byte
}

// template is a request whose trace id begins at an offset, and the digits of its name, if they vary.
type template struct {
	text  []byte
	trace int
	name  int
}

func newSequence(c *client, set settings, seed int) (*sequence, error) {
	made := &sequence{expected: c.body, random: rand.NewPCG(uint64(seed)+1, 7)}
	switch set.mix {
	case "A":
		made.fixed = c.request("GET", set.target, "", nil)
		return made, nil
	case "B", "C":
		made.fillMix(c, set)
		made.next = seed * 61 // connections walk the same targets from different places
		return made, nil
	}
	return nil, fmt.Errorf("there is no mix %q", set.mix)
}

func (s *sequence) fillMix(c *client, set settings) {
	for i := range targets {
		collection := fmt.Sprintf("/api/v1/namespaces/%s/%s", set.namespace, kinds[i%len(kinds)])
		name := fmt.Sprintf("item-%d", i)
		if set.mix == "C" {
			name = freshName
		}
		get := c.request("GET", collection+"/"+name, traceparent, nil)
		s.gets = append(s.gets, newTemplate(get))
		post := c.request("POST", collection+"?fieldManager="+name, traceparent, postBody(i))
		s.posts = append(s.posts, newTemplate(post))
	}
}

func newTemplate(text []byte) template {
	made := template{text: text, trace: bytes.Index(text, []byte(traceparent)) + len("00-")}
	if at := bytes.Index(text, []byte(freshName)); at >= 0 {
		made.name = at + len("item-")
	}
	return made
}

// request writes what client-go's transport writes, in its order.
func (c *client) request(method, target, trace string, body []byte) []byte {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, c.address)
	head += "User-Agent: bench/v0.0.0 (linux/amd64) kubernetes/$Format\r\n"
	if body != nil {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	head += "Accept: application/json, */*\r\nAuthorization: Bearer " + c.token + "\r\n"
	if body != nil {
		head += "Content-Type: application/json\r\n"
	}
	if trace != "" {
		head += "Traceparent: " + trace + "\r\n"
	}
	return append([]byte(head+"Accept-Encoding: gzip\r\n\r\n"), body...)
}

func postBody(i int) []byte {
	begin := fmt.Sprintf(
		`{"kind":"Object","apiVersion":"v1","metadata":{"name":"item-%d"},"data":{"value":"`, i)
	end := `"}}`
	filler := bytes.Repeat([]byte("x"), postBodySize-len(begin)-len(end))
	return append(append([]byte(begin), filler...), end...)
}

// take returns the next request; it is valid until the next call.
func (s *sequence) take() []byte {
	if s.fixed != nil {
		return s.fixed
	}
	place := s.next % targets
	s.isPost = s.next%postEvery == postEvery-1
	s.next++
	chosen := s.gets[place]
	if s.isPost {
		chosen = s.posts[place]
	}
	s.scratch = append(s.scratch[:0], chosen.text...)
	s.writeHex(s.scratch[chosen.trace : chosen.trace+32])
	s.writeHex(s.scratch[chosen.trace+33 : chosen.trace+49])
	if chosen.name > 0 {
		s.writeHex(s.scratch[chosen.name : chosen.name+16])
	}
	return s.scratch
}

func (s *sequence) writeHex(digits []byte) {
	for i := 0; i < len(digits); i += 16 {
		bits := s.random.Uint64()
		for j := range 16 {
			digits[i+j] = hexDigits[bits&15]
			bits >>= 4
		}
	}
}

// errWrong marks an answer that came whole but is not the one that was asked for.
var errWrong = errors.New("wrong answer")

// exchange sends the next request and checks its answer, byte for byte.
func (s *sequence) exchange(c *conn) error {
	if _, err := c.Write(s.take()); err != nil {
		return err
	}
	return s.check(c)
}

func (s *sequence) check(c *conn) error {
	if err := c.readHead(); err != nil {
		return err
	}
	wanted := 200
	if s.isPost {
		wanted = 201
	}
	left, same := s.expected, true
	err := c.readBody(func(piece []byte) {
		if same = same && bytes.HasPrefix(left, piece); same {
			left = left[len(piece):]
		}
	})
	if err != nil {
		return err
	}
	if c.status != wanted || !same || len(left) != 0 {
		return fmt.Errorf("%w: status %d, the body matches: %t", errWrong, c.status, same && len(left) == 0)
	}
	return nil
}
