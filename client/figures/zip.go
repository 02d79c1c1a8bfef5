package figures

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Bounds of a workbook. A template with all instruments has 25 files of 900 kB in all, 750 rows and 8,000 cells. They keep reading
// below 200 MB and a few seconds whatever the file says of itself.
const (
	maxZipFiles    = 1000
	maxXMLBytes    = 24 << 20 // read from all files together
	maxXMLToken    = 1 << 20  // one tag or text
	maxXMLDepth    = 64
	maxSheets      = 200
	maxRows        = 20_000 // in one sheet, with something in them
	maxCells       = 400_000
	maxStrings     = 400_000
	maxStringBytes = 8 << 20 // of all shared strings together
	maxCellBytes   = 4096    // longer texts are cut: no name or value is as long
)

// An archive is a zip file that is read within bounds.
type archive struct {
	files map[string]*zip.File
	left  int64 // bytes that may still be read
}

// errTooMuch is what reading says when a bound is reached.
var errTooMuch = errors.New("workbook is larger inside than any figures file; make a new template and move the figures")

func openArchive(data []byte) (*archive, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, errors.New("file is damaged: it begins like a workbook and cannot be opened")
	}
	if len(z.File) > maxZipFiles {
		return nil, errTooMuch
	}
	a := &archive{files: map[string]*zip.File{}, left: maxXMLBytes}
	for _, f := range z.File {
		name := strings.ToLower(strings.TrimPrefix(f.Name, "/"))
		if strings.HasSuffix(name, "vbaproject.bin") {
			return nil, errors.New("workbook has macros; save it as .xlsx, which has none")
		}
		if _, twice := a.files[name]; twice {
			return nil, fmt.Errorf("file is damaged: it has two parts %s", quote(name))
		}
		a.files[name] = f
	}
	return a, nil
}

// scan calls visit for each token of an XML file of the archive, within bounds. depth is that of the element that begins, ends or
// contains. A file that does not exist has no tokens; found says whether it does.
func (a *archive) scan(name string, visit func(token xml.Token, depth int) error) (found bool, err error) {
	f := a.files[strings.ToLower(name)]
	if f == nil {
		return false, nil
	}
	damaged := fmt.Errorf("file is damaged: its part %s cannot be read", quote(name))
	r, err := f.Open()
	if err != nil {
		return true, damaged
	}
	defer r.Close()
	meter := &meter{r: r, archive: a}
	decoder := xml.NewDecoder(meter)
	for depth := 0; ; {
		meter.token = 0
		token, err := decoder.Token()
		switch {
		case meter.exceeded:
			return true, errTooMuch
		case err == io.EOF:
			return true, nil
		case err != nil:
			return true, damaged
		}
		switch token.(type) {
		case xml.StartElement:
			if depth++; depth > maxXMLDepth {
				return true, errTooMuch
			}
			if err := visit(token, depth); err != nil {
				return true, err
			}
		case xml.EndElement:
			if err := visit(token, depth); err != nil {
				return true, err
			}
			depth--
		case xml.CharData:
			if err := visit(token, depth); err != nil {
				return true, err
			}
		}
	}
}

// A meter bounds what is read of an archive in all, and of one XML token. The decoder reads ahead, so a token is measured with an
// error of one buffer.
type meter struct {
	r        io.Reader
	archive  *archive
	token    int
	exceeded bool
}

func (m *meter) Read(p []byte) (int, error) {
	if m.archive.left <= 0 || m.token > maxXMLToken {
		m.exceeded = true
		return 0, errTooMuch
	}
	if int64(len(p)) > m.archive.left {
		p = p[:m.archive.left]
	}
	n, err := m.r.Read(p)
	m.archive.left -= int64(n)
	m.token += n
	return n, err
}

// relations returns the targets of a part's relationships by id and by the last word of their type. Targets are paths in the archive.
func (a *archive) relations(part string) (byID, byType map[string]string, err error) {
	byID, byType = map[string]string{}, map[string]string{}
	dir, base := path.Split(part)
	_, err = a.scan(path.Join(dir, "_rels", base+".rels"), func(token xml.Token, _ int) error {
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "Relationship" || attribute(start, "TargetMode") == "External" {
			return nil
		}
		if len(byID) >= maxZipFiles {
			return errTooMuch
		}
		target := attribute(start, "Target")
		if strings.HasPrefix(target, "/") {
			target = target[1:]
		} else {
			target = path.Join(dir, target)
		}
		byID[attribute(start, "Id")] = target
		byType[path.Base(attribute(start, "Type"))] = target
		return nil
	})
	return byID, byType, err
}

// attribute returns the value of an attribute by its name without namespace.
func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
