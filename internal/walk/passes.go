package walk

import "slices"

// A row that is changed on a full page moves to another page, and every index gets an entry for its new place: that
// costs ten times what changing it in place does. So a stretch of the table, a window, is visited in several passes,
// each for a share of the rows of every page. The first pass moves its share away. What it leaves behind is pruned by
// the next visit of the page, and the next share finds room where it is. The last pass takes whatever is left, so
// that the shares decide about speed and never about which rows are visited.
const (
	// windowBlocks are few enough to stay in memory from pass to pass.
	windowBlocks = 8192
	// rangesPerPass keeps ranges short against a pass. What a transaction leaves behind cannot be pruned while an
	// older one runs, that of another worker for instance: that one must have ended when the next pass comes.
	rangesPerPass = 4
	// passBlocks make a table worth it.
	passBlocks = 1024
	// sharePasses is a power of two. With more passes fewer rows move, and every window is read more often.
	sharePasses = 16
	// inPlaceShare of the rows that a second pass changes must have stayed on their pages. Where fewer do, somebody's
	// old snapshot keeps pages from being pruned, or a trigger changes an indexed column, and the passes gain nothing.
	inPlaceShare = 0.25
)

// choosePasses decides how often each window is visited.
func (w *walker) choosePasses(blocks int64) {
	w.passes = 1
	if w.cfg.InPlace && len(w.key) == 0 && blocks >= passBlocks {
		w.passes = sharePasses
	}
}

// settleAll is settle for the slices of a walk that is resumed.
func (w *walker) settleAll(all []Slice) {
	var blocks int64
	for _, s := range all {
		blocks += s.Expected
	}
	w.choosePasses(blocks)
	for i := range all {
		w.settle(&all[i])
	}
}

// inPasses says whether the ranges of a slice are visited in passes.
func (w *walker) inPasses(s Slice) bool { return w.passes > 1 && !s.Late }

// lastPass says whether what is left behind now is left for good.
func (w *walker) lastPass(s Slice) bool { return !w.inPasses(s) || s.Pass == w.passes-1 }

// settle brings a slice into a window of this walk: it may have been begun by a walk with other passes, or with none.
// Beginning a window again is always right.
func (w *walker) settle(s *Slice) {
	if s.Done || s.Late || len(w.key) > 0 {
		return
	}
	if s.Window != nil && s.Of != w.passes {
		s.Pos, s.Window, s.Pass, s.Of = s.Window, nil, 0, 0
	}
	if w.passes > 1 && s.Window == nil {
		s.Window, s.Of = s.Pos, w.passes
	}
}

// mostInRange bounds the size of a range of a slice.
func (w *walker) mostInRange(s Slice) int64 {
	if !w.inPasses(s) {
		return w.maxSize
	}
	return max(1, min(windowBlocks, s.Expected)/rangesPerPass) * w.tids.perBlock
}

// end is where the window of a slice ends, or the slice itself.
func (w *walker) end(s Slice) (int64, error) {
	end, err := w.tids.parse(s.To[0])
	if err != nil || !w.inPasses(s) {
		return end, err
	}
	from, err := w.tids.parse(s.Window[0])
	return min(from+windowBlocks*w.tids.perBlock, end), err
}

// next is a slice after a range of it was visited. At the end of a window's pass it goes back to the beginning for
// the next one, or for the last one.
func (w *walker) next(s Slice, r Range, toLast bool) (Slice, error) {
	s.Pos = r.To
	if !w.inPasses(s) {
		s.Done = slices.Equal(r.To, s.To)
		s.Visited = w.visited(s.Visited, r)
		return s, nil
	}
	end, err := w.end(s)
	if err != nil {
		return s, err
	}
	pos, _ := w.tids.parse(r.To[0]) // written by us, as the others
	window, _ := w.tids.parse(s.Window[0])
	first, _ := w.tids.parse(s.From[0])
	share := float64(s.Pass) + float64(pos-window)/float64(end-window)
	s.Visited = ((window - first) + int64(float64(end-window)*share/float64(w.passes))) / w.tids.perBlock
	switch {
	case pos < end:
	case !w.lastPass(s):
		s.Pos = s.Window
		if s.Pass++; toLast {
			s.Pass = w.passes - 1
		}
	default:
		s.Window, s.Pass = r.To, 0
		s.Done = slices.Equal(r.To, s.To)
	}
	return s, nil
}

// tally is what the first two passes of a window have shown.
type tally struct {
	changed, stayed int64 // rows, and those of them that stayed on their page
}

// add notes a visit of a slice as it was before.
func (t tally) add(before Slice, v Visited) tally {
	if slices.Equal(before.Pos, before.Window) {
		t = tally{}
	}
	return tally{t.changed + v.Rows, t.stayed + v.InPlace}
}

// pointless says that the passes between this one and the last would gain nothing.
func (t tally) pointless(s Slice) bool {
	switch s.Pass {
	case 0: // fewer than a row on each page wants the change
		return t.changed*sharePasses < windowBlocks/2 && t.changed*sharePasses < s.Expected
	case 1:
		return float64(t.stayed) < inPlaceShare*float64(t.changed)
	}
	return false
}
