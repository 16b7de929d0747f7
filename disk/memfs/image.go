package memfs

const (
	// pageBytes is the unit of copy on write and of write-back.
	pageBytes = 4096
	// sectorBytes is the unit that a disk writes wholly or not at all.
	sectorBytes = 512
)

// generation marks who may change a page in place: the file whose generation
// it is. A file that shares its pages takes a new one. It has a size, so that
// every one has an address of its own.
type generation struct{ _ byte }

// page is a part of a file; one without data is zeros. The data never change once
// their generation is over. They stand alone, because the allocator rounds what
// is a word longer than 4 KiB up by a sixth.
type page struct {
	gen  *generation
	data *[pageBytes]byte
}

// newPage returns a page of a generation with a copy of the data of old.
func newPage(old page, gen *generation) page {
	fresh := page{gen: gen, data: new([pageBytes]byte)}
	if old.data != nil {
		*fresh.data = *old.data
	}
	return fresh
}

// image is the contents of a file at one time.
// Invariant: bytes of the last page at and past size are zero.
type image struct {
	pages  []page
	size   int64
	taken  int64 // pages that have data
	shared bool  // the slice of pages belongs to another image too
}

// share returns a second image with the same contents. The caller gives the
// file a new generation, so that neither side changes a page in place.
func (im *image) share() image {
	im.shared = true
	return *im
}

// own makes the slice of pages this image's alone.
func (im *image) own() {
	if im.shared {
		im.pages = append(make([]page, 0, len(im.pages)+1), im.pages...)
		im.shared = false
	}
}

// readAt copies from off on and returns the bytes copied.
func (im *image) readAt(p []byte, off int64) int {
	if off >= im.size {
		return 0
	}
	p = p[:min(int64(len(p)), im.size-off)]
	for done := 0; done < len(p); {
		at := off + int64(done)
		in := int(at % pageBytes)
		part := p[done:min(len(p), done+pageBytes-in)]
		if pg := im.page(at / pageBytes); pg.data != nil {
			copy(part, pg.data[in:])
		} else {
			clear(part)
		}
		done += len(part)
	}
	return len(p)
}

// page returns page i, one without data if it is zeros or past the end.
func (im *image) page(i int64) page {
	if i >= int64(len(im.pages)) {
		return page{}
	}
	return im.pages[i]
}

// grow makes the slice of pages long enough to hold page i.
func (im *image) grow(i int64) {
	im.own()
	for int64(len(im.pages)) <= i {
		im.pages = append(im.pages, page{})
	}
}

// set makes p page i.
func (im *image) set(i int64, p page) {
	old := im.page(i)
	if old == p {
		return
	}
	im.grow(i)
	im.pages[i] = p
	if old.data == nil {
		im.taken++
	}
	if p.data == nil {
		im.taken--
	}
}

// writable returns page i for changes in place, made or copied if it must be.
func (im *image) writable(i int64, gen *generation) page {
	old := im.page(i)
	if old.data != nil && old.gen == gen {
		return old
	}
	fresh := newPage(old, gen)
	im.set(i, fresh)
	return fresh
}

// resize sets the length and zeroes what is cut off.
func (im *image) resize(size int64, gen *generation) {
	if size < im.size {
		keep := (size + pageBytes - 1) / pageBytes
		for i := keep; i < int64(len(im.pages)); i++ {
			im.set(i, page{})
		}
		if keep < int64(len(im.pages)) {
			im.own()
			im.pages = im.pages[:keep]
		}
		if in := size % pageBytes; in != 0 && im.page(keep-1).data != nil {
			clear(im.writable(keep-1, gen).data[in:])
		}
	}
	im.size = size
}
