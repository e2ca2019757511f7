package simulator

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
)

// heldAnswer keeps what a handler answers instead of sending it.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header         { return h.header }
func (h *heldAnswer) WriteHeader(status int)      { h.status = status }
func (h *heldAnswer) Write(p []byte) (int, error) { return h.body.Write(p) }

// send gives the answer to its caller.
func (h *heldAnswer) send(w http.ResponseWriter) {
	for k, v := range h.header {
		w.Header()[k] = v
	}
	w.WriteHeader(h.status)
	_, _ = w.Write(h.body.Bytes())
}

// hangUp resets the connection, after half of the answer when one is given.
func hangUp(w http.ResponseWriter, half *heldAnswer) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // no plain connection to break: end it as net/http can
	}
	defer conn.Close()
	if half != nil {
		body := half.body.Bytes()
		fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
			half.status, http.StatusText(half.status), half.header.Get("Content-Type"), len(body)+1)
		_, _ = conn.Write(body[:len(body)/2])
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, not a tidy end
	}
}
