// Package storefile is the form of a store in a file: what a backup is, and what goes from one kind of store to another.
//
// Its floor's promise: it holds [store.Record]s in the order in which a store gives and takes them and knows nothing of their meaning. Rows of a sealed store
// are in it as they are on the disk, sealed, with their wrapped keys: to make a backup takes no key, and to restore it into either kind of store needs the same one.
//
// A file is the line "candor store file 1", records, and an end. A record is a number for its type (1 byte), the length of its body (4 bytes, big-endian),
// and the body: the fields in order, integers big-endian, byte strings behind a length of 4 bytes. The end is a zero byte, the number of records (8 bytes), and
// the SHA-256 of all that comes before it: a file that was cut off or damaged is not taken for a whole one. There is one encoding for each record.
//
// The digest does not stop an attacker. One who can change a file can take rows out; what is sealed he cannot change.
package storefile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
)

const header = "candor store file 1\n"

// maxRecord bounds the body of a record, in bytes: more than the greatest request that a server takes.
const maxRecord = 1 << 30

// ErrMalformed means that a file is not one that a Writer wrote, whole.
var ErrMalformed = errors.New("not a whole store file, or a damaged one")

// A Writer writes a file.
type Writer struct {
	out *bufio.Writer
	sum hash.Hash
	n   uint64
	err error
}

// NewWriter begins a file.
func NewWriter(out io.Writer) *Writer {
	w := &Writer{sum: sha256.New()}
	w.out = bufio.NewWriterSize(io.MultiWriter(out, w.sum), 1<<16)
	_, w.err = w.out.WriteString(header)
	return w
}

// Write adds a record.
func (w *Writer) Write(r store.Record) error {
	if w.err != nil {
		return w.err
	}
	kind, body, err := encode(r)
	if err != nil {
		return err
	}
	if len(body) > maxRecord {
		return fmt.Errorf("storefile: a record of %d bytes is too large", len(body))
	}
	w.n++
	_, w.err = w.out.Write(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body))))
	if w.err == nil {
		_, w.err = w.out.Write(body)
	}
	return w.err
}

// Close ends the file. It does not close what the file is written to.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if _, w.err = w.out.Write(binary.BigEndian.AppendUint64([]byte{0}, w.n)); w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err == nil {
		// The sum of what was written until now; that the sum itself is added to it does no harm.
		_, _ = w.out.Write(w.sum.Sum(nil)) // into the buffer
		w.err = w.out.Flush()
	}
	return w.err
}

// A Reader reads a file.
type Reader struct {
	in  *bufio.Reader
	sum hash.Hash
	n   uint64
	end bool
}

// NewReader reads the beginning of a file.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 1<<16), sum: sha256.New()}
	first := make([]byte, len(header))
	if err := r.read(first); err != nil {
		return nil, err
	}
	if string(first) != header {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrMalformed, header)
	}
	return r, nil
}

// read reads exactly into b.
func (r *Reader) read(b []byte) error {
	_, err := io.ReadFull(r.in, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends after %d records", ErrMalformed, r.n)
	}
	r.sum.Write(b)
	return err
}

// Next returns the next record, or io.EOF after the last one if the file is whole.
func (r *Reader) Next() (store.Record, error) {
	if r.end {
		return nil, io.EOF
	}
	var kind [1]byte
	if err := r.read(kind[:]); err != nil {
		return nil, err
	}
	if kind[0] == 0 {
		return nil, r.finish()
	}
	var length [4]byte
	if err := r.read(length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxRecord {
		return nil, fmt.Errorf("%w: record %d has %d bytes", ErrMalformed, r.n+1, n)
	}
	// No more memory than the file has bytes, whatever it says.
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r.in, int64(n)); err != nil {
		return nil, fmt.Errorf("%w: it ends within record %d", ErrMalformed, r.n+1)
	}
	r.sum.Write(body.Bytes())
	record, ok := decode(kind[0], cryptobyte.String(body.Bytes()))
	if !ok {
		return nil, fmt.Errorf("%w: record %d, of type %d, cannot be read", ErrMalformed, r.n+1, kind[0])
	}
	r.n++
	return record, nil
}

// finish checks the end of the file.
func (r *Reader) finish() error {
	var count [8]byte
	if err := r.read(count[:]); err != nil {
		return err
	}
	want := r.sum.Sum(nil)
	got := make([]byte, len(want))
	if err := r.read(got); err != nil {
		return err
	}
	if n := binary.BigEndian.Uint64(count[:]); n != r.n {
		return fmt.Errorf("%w: it has %d records and says %d", ErrMalformed, r.n, n)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%w: its digest is another", ErrMalformed)
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it goes on after its end", ErrMalformed)
	}
	r.end = true
	return io.EOF
}
