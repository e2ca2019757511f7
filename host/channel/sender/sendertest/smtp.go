package sendertest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Mail is one mail that the server took, or whose answer it kept to itself.
type Mail struct {
	From, To string
	Content  []byte
	// MessageID is that of the content, without angle brackets.
	MessageID string
	// Began is when the connection that brought it was opened.
	Began time.Time
}

// SMTP is a mail server that takes everything, unless told otherwise.
type SMTP struct {
	// TLS, when set, is offered with STARTTLS, or spoken at once with Implicit.
	TLS      *tls.Config
	Implicit bool
	// Delay is how long it takes to answer once it has a mail.
	Delay time.Duration
	// UTF8 offers SMTPUTF8 (RFC 6531).
	UTF8 bool

	listener net.Listener
	done     sync.WaitGroup
	mu       sync.Mutex
	mails    []Mail
	replies  map[string][]string
	conns    map[net.Conn]bool
}

// Hang as a reply means: no answer, and the connection breaks.
const Hang = "hang"

// StartSMTP starts a server that ends with the test.
func StartSMTP(tb testing.TB, s *SMTP) *SMTP {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s.listener, s.replies, s.conns = l, map[string][]string{}, map[net.Conn]bool{}
	s.done.Go(s.accept)
	tb.Cleanup(s.stop)
	return s
}

// Port is where it listens, on 127.0.0.1.
func (s *SMTP) Port() int {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String()) // a listener's address parses
	n, _ := strconv.Atoi(port)
	return n
}

// Answer makes the next commands of a kind ("MAIL", "RCPT", "DATA", "." for the
// content) get these replies, such as "450 later" or Hang.
func (s *SMTP) Answer(command string, replies ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[command] = append(s.replies[command], replies...)
}

// Mails are all that it has.
func (s *SMTP) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

func (s *SMTP) stop() {
	s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}

func (s *SMTP) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.done.Go(func() {
			s.serve(c, time.Now())
			c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// errHang ends a connection without an answer.
var errHang = errors.New("told to hang up")

// reply answers the default unless the test asked for something else.
func (s *SMTP) reply(c net.Conn, command, usual string) (taken bool, err error) {
	s.mu.Lock()
	if told := s.replies[command]; len(told) > 0 {
		usual, s.replies[command] = told[0], told[1:]
	}
	s.mu.Unlock()
	if usual == Hang {
		return false, errHang
	}
	_, err = fmt.Fprintf(c, "%s\r\n", usual)
	return usual[0] < '4', err
}

func (s *SMTP) serve(c net.Conn, began time.Time) {
	if s.Implicit {
		c = tls.Server(c, s.TLS)
	}
	secure := s.Implicit
	r := textproto.NewReader(bufio.NewReader(c))
	m := Mail{Began: began}
	if _, err := s.reply(c, "CONNECT", "220 sink"); err != nil {
		return
	}
	for {
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		command := strings.ToUpper(strings.SplitN(line, " ", 2)[0])
		usual := "250 ok"
		switch command {
		case "EHLO":
			usual = "250-sink\r\n250-8BITMIME\r\n250 AUTH PLAIN"
			if s.TLS != nil && !secure {
				usual = "250-sink\r\n250-8BITMIME\r\n250 STARTTLS"
			}
			if s.UTF8 {
				usual = strings.Replace(usual, "8BITMIME", "SMTPUTF8", 1)
			}
		case "AUTH":
			usual = "235 welcome"
		case "MAIL":
			m.From = between(line, '<', '>')
		case "RCPT":
			m.To = between(line, '<', '>')
		case "STARTTLS":
			usual = "220 go"
		case "DATA":
			usual = "354 go"
		case "QUIT":
			usual = "221 bye"
		}
		taken, err := s.reply(c, command, usual)
		if err != nil {
			return
		}
		switch {
		case command == "STARTTLS" && taken:
			c = tls.Server(c, s.TLS)
			r, secure = textproto.NewReader(bufio.NewReader(c)), true
		case command == "DATA" && taken:
			if m.Content, err = io.ReadAll(r.DotReader()); err != nil {
				return
			}
			if err := s.store(c, m); err != nil {
				return
			}
		case command == "QUIT":
			return
		}
	}
}

// store keeps the mail before it answers: a server that hangs up has it.
func (s *SMTP) store(c net.Conn, m Mail) error {
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(string(m.Content)))).ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	m.MessageID = strings.Trim(header.Get("Message-Id"), "<>")
	s.mu.Lock()
	told := s.replies["."]
	if len(told) == 0 || told[0] == Hang || told[0][0] < '4' {
		s.mails = append(s.mails, m)
	}
	s.mu.Unlock()
	time.Sleep(s.Delay)
	_, err = s.reply(c, ".", "250 queued")
	return err
}

func between(s string, open, closing byte) string {
	from, to := strings.IndexByte(s, open), strings.IndexByte(s, closing)
	if from < 0 || to < from {
		return ""
	}
	return s[from+1 : to]
}
