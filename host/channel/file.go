package channel

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/emersion/go-mbox"

	"github.com/clientele-crm/clientele/core/intake"
)

// maxLine bounds a line of a JSONL file: a mail of the largest size in base64,
// and its frame.
const maxLine = intake.MaxBytes*4/3 + 1<<20

// Item is one message read from a file. Err is why it could not be read; the
// others go on.
type Item struct {
	// Name says where it stands: "mail.mbox#3", "a/b.eml", "messages.jsonl:12".
	Name    string
	Message intake.Message
	Err     error
}

// Read answers the messages of files and directories, in order: .jsonl files are
// messages, .mbox files (or any file that starts like one) mails, everything else
// one mail each. Directories are walked; hidden files are left out.
func Read(paths ...string) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for _, path := range paths {
			files, err := expand(path)
			if err != nil && !yield(Item{Name: path, Err: err}) {
				return
			}
			for _, file := range files {
				if !readFile(os.DirFS(filepath.Dir(file)), filepath.Base(file), file, yield) {
					return
				}
			}
		}
	}
}

// ReadFS answers the messages of named files of a file system, such as the
// embedded samples.
func ReadFS(fsys fs.FS, names ...string) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for _, name := range names {
			if !readFile(fsys, name, name, yield) {
				return
			}
		}
	}
}

func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("can't be read: %w: name a file or a directory", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type().IsRegular() && !strings.HasPrefix(d.Name(), ".") {
			files = append(files, file)
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}

// readFile yields a file's messages and answers false when the reader had enough.
func readFile(fsys fs.FS, name, shown string, yield func(Item) bool) bool {
	f, err := fsys.Open(name)
	if err != nil {
		return yield(Item{Name: shown, Err: fmt.Errorf("can't be read: %w", err)})
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 64<<10)
	start, _ := in.Peek(5)
	switch {
	case strings.HasSuffix(name, ".jsonl"):
		return readLines(in, shown, yield)
	case strings.HasSuffix(name, ".mbox"), string(start) == "From " && !strings.HasSuffix(name, ".eml"):
		return readMbox(in, shown, yield)
	default:
		return yield(mailItem(in, shown))
	}
}

func readLines(in *bufio.Reader, shown string, yield func(Item) bool) bool {
	for number := 1; ; number++ {
		line, tooLong, err := readLine(in)
		item := Item{Name: fmt.Sprintf("%s:%d", shown, number)}
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0 && !tooLong:
			return true
		case err != nil && !errors.Is(err, io.EOF):
			item.Err = fmt.Errorf("can't be read on: %w", err)
			yield(item)
			return false
		case tooLong:
			item.Err = &intake.TooLargeError{Bytes: maxLine}
		case len(bytes.TrimSpace(line)) == 0:
			continue
		default:
			item.Err = decode(line, &item.Message)
		}
		if !yield(item) {
			return false
		}
	}
}

// readLine reads one line; of one over the limit it keeps nothing.
func readLine(in *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > maxLine; tooLong {
			line = nil
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

func decode(line []byte, m *intake.Message) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return fmt.Errorf("is no message: %s: see configs/samples/README.md for the format", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

func readMbox(in io.Reader, shown string, yield func(Item) bool) bool {
	box := mbox.NewReader(in)
	for number := 1; ; number++ {
		mail, err := box.NextMessage()
		if errors.Is(err, io.EOF) {
			return true
		}
		name := fmt.Sprintf("%s#%d", shown, number)
		if err != nil {
			return yield(Item{Name: name, Err: fmt.Errorf("is no mbox from here on: %w", err)})
		}
		if !yield(mailItem(mail, name)) {
			return false
		}
	}
}

func mailItem(in io.Reader, shown string) Item {
	item := Item{Name: shown, Message: intake.Message{Channel: "email"}}
	item.Message.MIME, item.Err = io.ReadAll(io.LimitReader(in, intake.MaxBytes+1))
	switch {
	case item.Err != nil:
		item.Err = fmt.Errorf("can't be read: %w", item.Err)
	case len(item.Message.MIME) > intake.MaxBytes:
		item.Err = &intake.TooLargeError{Bytes: int64(len(item.Message.MIME))}
	case len(bytes.TrimSpace(item.Message.MIME)) == 0:
		item.Err = errors.New("is empty: name a file with a mail in it")
	}
	return item
}
