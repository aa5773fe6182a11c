package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

const (
	ioTimeout   = 30 * time.Second
	readBuffer  = 128 << 10
	maxHeadSize = 64 << 10
)

// client is one proxy as seen by a program: where it is, whom to trust, what to present.
type client struct {
	address string
	token   string
	body    []byte
	tls     *tls.Config
}

func newClient(set settings) (*client, error) {
	pem, err := os.ReadFile(set.caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", set.caFile)
	}
	token, err := os.ReadFile(set.tokenFile)
	if err != nil {
		return nil, err
	}
	body := []byte(nil)
	if set.bodyFile != "" {
		if body, err = os.ReadFile(set.bodyFile); err != nil {
			return nil, err
		}
	}
	host, _, err := net.SplitHostPort(set.address)
	if err != nil {
		return nil, err
	}
	// Neither resumption (no Kubernetes client was seen to resume) nor a post-quantum key share:
	// with one, each proxy's handshake would cost what its TLS library's age makes of it.
	config := &tls.Config{
		RootCAs:          roots,
		ServerName:       host,
		MinVersion:       tls.VersionTLS13,
		NextProtos:       []string{"http/1.1"},
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
	}
	return &client{set.address, strings.TrimSpace(string(token)), body, config}, nil
}

// conn is one keep-alive connection with its read buffer.
type conn struct {
	*tls.Conn
	buffer      []byte
	start, end  int
	contentSize int64 // of the answer in hand; -1 when it is chunked
	status      int
}

func (c *client) dial() (*conn, error) {
	raw, err := net.DialTimeout("tcp", c.address, ioTimeout)
	if err != nil {
		return nil, err
	}
	secured := tls.Client(raw, c.tls)
	if err := secured.SetDeadline(time.Now().Add(ioTimeout)); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	if err := secured.Handshake(); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	// One deadline for a whole run instead of one per request, which would cost a timer each.
	if err := secured.SetDeadline(time.Now().Add(15 * time.Minute)); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return &conn{Conn: secured, buffer: make([]byte, readBuffer)}, nil
}

// dialAll opens n connections, a few at a time, and closes none on an error: the run ends then.
func (c *client) dialAll(n int) ([]*conn, error) {
	conns := make([]*conn, 0, n)
	for range n {
		opened, err := c.dial()
		if err != nil {
			return conns, err
		}
		conns = append(conns, opened)
	}
	return conns, nil
}

// fill reads more into the buffer, moving what is unread to its front when there is no room.
func (c *conn) fill() error {
	if c.start == c.end {
		c.start, c.end = 0, 0
	}
	if c.end == len(c.buffer) {
		if c.start == 0 {
			return errors.New("the answer's head does not fit the buffer")
		}
		c.end = copy(c.buffer, c.buffer[c.start:c.end])
		c.start = 0
	}
	n, err := c.Read(c.buffer[c.end:])
	c.end += n
	if n > 0 {
		return nil
	}
	return err
}

var (
	blankLine   = []byte("\r\n\r\n")
	lineEnd     = []byte("\r\n")
	nameLength  = []byte("content-length")
	nameCoding  = []byte("transfer-encoding")
	valueChunks = []byte("chunked")
)

// readHead takes one final response head off the connection.
func (c *conn) readHead() error {
	for {
		if i := bytes.Index(c.buffer[c.start:c.end], blankLine); i >= 0 {
			head := c.buffer[c.start : c.start+i+2]
			c.start += i + 4
			return c.parseHead(head)
		}
		if c.end-c.start > maxHeadSize {
			return errors.New("the answer's head has no end")
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

func (c *conn) parseHead(head []byte) error {
	if len(head) < 14 || string(head[:9]) != "HTTP/1.1 " {
		return fmt.Errorf("not a response: %q", head)
	}
	c.status = int(head[9]-'0')*100 + int(head[10]-'0')*10 + int(head[11]-'0')
	c.contentSize = -2
	rest := head[bytes.Index(head, lineEnd)+2:]
	for len(rest) > 0 {
		i := bytes.Index(rest, lineEnd)
		line := rest[:i]
		rest = rest[i+2:]
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			return fmt.Errorf("odd header line %q", line)
		}
		switch name := line[:colon]; {
		case len(name) == len(nameLength) && bytes.EqualFold(name, nameLength):
			c.contentSize = 0
			for _, digit := range bytes.TrimSpace(line[colon+1:]) {
				c.contentSize = c.contentSize*10 + int64(digit-'0')
			}
		case len(name) == len(nameCoding) && bytes.EqualFold(name, nameCoding):
			if !bytes.EqualFold(bytes.TrimSpace(line[colon+1:]), valueChunks) {
				return fmt.Errorf("odd transfer coding %q", line)
			}
			c.contentSize = -1
		}
	}
	if c.contentSize == -2 {
		return errors.New("the answer has neither a length nor chunks")
	}
	return nil
}

// readBody hands the whole body of the answer to take, piece by piece.
func (c *conn) readBody(take func([]byte)) error {
	if c.contentSize >= 0 {
		return c.readExactly(c.contentSize, take)
	}
	for {
		line, err := c.readLine()
		if err != nil {
			return err
		}
		size, err := parseHex(line)
		if err != nil {
			return err
		}
		if err := c.readExactly(size, take); err != nil {
			return err
		}
		if line, err = c.readLine(); err != nil {
			return err
		}
		if len(line) != 0 {
			return fmt.Errorf("odd end of a chunk: %q", line)
		}
		if size == 0 {
			return nil
		}
	}
}

func (c *conn) readExactly(size int64, take func([]byte)) error {
	for size > 0 {
		if c.start == c.end {
			if err := c.fill(); err != nil {
				return unexpected(err)
			}
		}
		piece := c.buffer[c.start:min(int64(c.end), int64(c.start)+size)]
		take(piece)
		c.start += len(piece)
		size -= int64(len(piece))
	}
	return nil
}

func (c *conn) readLine() ([]byte, error) {
	for {
		if i := bytes.Index(c.buffer[c.start:c.end], lineEnd); i >= 0 {
			line := c.buffer[c.start : c.start+i]
			c.start += i + 2
			return line, nil
		}
		if err := c.fill(); err != nil {
			return nil, unexpected(err)
		}
	}
}

func parseHex(digits []byte) (int64, error) {
	size := int64(0)
	for _, digit := range digits {
		switch {
		case '0' <= digit && digit <= '9':
			size = size<<4 | int64(digit-'0')
		case 'a' <= digit|0x20 && digit|0x20 <= 'f':
			size = size<<4 | int64(digit|0x20-'a'+10)
		default:
			return 0, fmt.Errorf("odd chunk size %q", digits)
		}
	}
	if len(digits) == 0 || len(digits) > 15 {
		return 0, fmt.Errorf("odd chunk size %q", digits)
	}
	return size, nil
}

// unexpected makes sure that a body cut short never looks like a clean end.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
