package extract

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxHTMLDepth bounds the elements whose kind is remembered; deeper ones are
// read as text of their parent.
const maxHTMLDepth = 512

// HTMLText turns a mail's HTML into text lines. What the mail programs mark as
// quoted (blockquotes, Gmail's and Yahoo's quote boxes, Outlook's reply
// header) comes out with a leading "> ", a marked signature after a line "-- ",
// so that the rules for plain text cut both.
func HTMLText(source string) string {
	if source == "" {
		return ""
	}
	w := htmlWriter{}
	z := html.NewTokenizer(strings.NewReader(source))
	z.SetMaxBuf(maxText)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return w.String()
		case html.TextToken:
			w.text(z.Text())
		case html.StartTagToken:
			w.open(z, false)
		case html.SelfClosingTagToken:
			w.open(z, true)
		case html.EndTagToken:
			name, _ := z.TagName()
			w.close(atom.Lookup(name))
		}
	}
}

// htmlWriter collects lines. open elements are a stack; quoted and hidden count
// the ones that quote or hide.
type htmlWriter struct {
	out            strings.Builder
	line           strings.Builder
	stack          []htmlElement
	quoted, hidden int
	quoteToEnd     bool
	pre            int
}

type htmlElement struct {
	tag           atom.Atom
	quote, hidden bool
}

func (w *htmlWriter) String() string {
	w.endLine()
	return w.out.String()
}

func (w *htmlWriter) text(raw []byte) {
	if w.hidden > 0 {
		return
	}
	if w.pre > 0 {
		for i, l := range strings.Split(html.UnescapeString(string(raw)), "\n") {
			if i > 0 {
				w.endLine()
			}
			w.line.WriteString(l)
		}
		return
	}
	unescaped := html.UnescapeString(string(raw))
	if w.line.Len() > 0 && unescaped != "" && strings.TrimLeft(unescaped[:1], " \t\r\n") == "" {
		w.line.WriteByte(' ')
	}
	w.line.WriteString(strings.Join(strings.Fields(unescaped), " "))
	if n := len(unescaped); n > 0 && strings.TrimSpace(unescaped) != "" && strings.TrimRight(unescaped[n-1:], " \t\r\n") == "" {
		w.line.WriteByte(' ')
	}
}

func (w *htmlWriter) open(z *html.Tokenizer, selfClosing bool) {
	name, hasAttr := z.TagName()
	tag := atom.Lookup(name)
	marks := htmlMarks(z, hasAttr)
	switch {
	case tag == atom.Br || tag == atom.Hr:
		w.endLine()
		return
	case isVoid(tag) || selfClosing:
		return
	case isBlock(tag):
		w.endLine()
	case tag == atom.Td || tag == atom.Th:
		if w.line.Len() > 0 {
			w.line.WriteByte('\t')
		}
	}
	if marks.replyHeader {
		w.endLine()
		w.quoteToEnd = true
	}
	if marks.signature && w.hidden == 0 && w.quoted == 0 && !w.quoteToEnd {
		w.endLine()
		w.out.WriteString("-- \n")
	}
	if len(w.stack) >= maxHTMLDepth {
		return
	}
	e := htmlElement{tag: tag}
	e.quote = tag == atom.Blockquote || marks.quote
	e.hidden = tag == atom.Script || tag == atom.Style || tag == atom.Head || tag == atom.Title || tag == atom.Template || marks.hidden
	if e.quote {
		w.endLine()
		w.quoted++
	}
	if e.hidden {
		w.hidden++
	}
	if tag == atom.Pre {
		w.pre++
	}
	w.stack = append(w.stack, e)
}

func (w *htmlWriter) close(tag atom.Atom) {
	if isBlock(tag) {
		w.endLine()
		if tag == atom.P {
			w.endLine()
			if w.hidden == 0 {
				w.out.WriteByte('\n')
			}
		}
	}
	// An end tag closes the nearest open element of its kind, if any is near.
	for i := len(w.stack) - 1; i >= 0 && i >= len(w.stack)-16; i-- {
		if w.stack[i].tag != tag {
			continue
		}
		for _, e := range w.stack[i:] {
			if e.quote {
				w.quoted--
			}
			if e.hidden {
				w.hidden--
			}
			if e.tag == atom.Pre {
				w.pre--
			}
		}
		w.stack = w.stack[:i]
		return
	}
}

func (w *htmlWriter) endLine() {
	if w.line.Len() == 0 {
		return
	}
	if w.quoted > 0 || w.quoteToEnd {
		w.out.WriteString("> ")
	}
	w.out.WriteString(strings.TrimRight(w.line.String(), " \t"))
	w.out.WriteByte('\n')
	w.line.Reset()
}

type marks struct{ quote, signature, replyHeader, hidden bool }

// Class and id names that mail programs give to quotes and signatures.
var (
	quoteMarks     = [][]byte{[]byte("gmail_quote"), []byte("yahoo_quoted"), []byte("moz-cite-prefix"), []byte("protonmail_quote"), []byte("tutanota_quote"), []byte("zmail_extra"), []byte("quotedmailtext")}
	replyMarks     = [][]byte{[]byte("divrplyfwdmsg"), []byte("appendonsend"), []byte("olk_src_body_section"), []byte("mail-editor-reference-message-container"), []byte("ms-outlook-mobile-reference-message")}
	signatureMarks = [][]byte{[]byte("gmail_signature"), []byte("moz-signature"), []byte("ms-outlook-mobile-signature"), []byte("protonmail_signature_block"), []byte("applemailsignature")}
)

func htmlMarks(z *html.Tokenizer, more bool) (m marks) {
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "class", "id":
			v := bytes.ToLower(value)
			m.quote = m.quote || containsAny(v, quoteMarks)
			m.replyHeader = m.replyHeader || containsAny(v, replyMarks)
			m.signature = m.signature || containsAny(v, signatureMarks) || bytes.Equal(v, []byte("signature"))
		case "style":
			v := bytes.ReplaceAll(bytes.ToLower(value), []byte(" "), nil)
			// Outlook draws a line above the header of the mail it answers.
			if bytes.Contains(v, []byte("border-top:solid#e1e1e1")) || bytes.Contains(v, []byte("border-top:solid#b5c4df")) {
				m.replyHeader = true
			}
			m.hidden = m.hidden || bytes.Contains(v, []byte("display:none"))
		case "type":
			m.quote = m.quote || bytes.EqualFold(value, []byte("cite"))
		}
	}
	return m
}

func containsAny(v []byte, marks [][]byte) bool {
	for _, m := range marks {
		if bytes.Contains(v, m) {
			return true
		}
	}
	return false
}

func isBlock(tag atom.Atom) bool {
	switch tag {
	case atom.P, atom.Div, atom.Tr, atom.Table, atom.Li, atom.Ul, atom.Ol, atom.Blockquote, atom.Pre, atom.Section, atom.Article,
		atom.Header, atom.Footer, atom.Address, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Dl, atom.Dt, atom.Dd, atom.Body:
		return true
	}
	return false
}

func isVoid(tag atom.Atom) bool {
	switch tag {
	case atom.Img, atom.Input, atom.Meta, atom.Link, atom.Col, atom.Area, atom.Base, atom.Embed, atom.Source, atom.Track, atom.Wbr:
		return true
	}
	return false
}
