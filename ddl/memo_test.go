package ddl

import (
	"strconv"
	"strings"
	"testing"
)

// TestMemo asks for one text among thousands of others: it stays, they go, and long ones never come.
func TestMemo(t *testing.T) {
	var m memo[int]
	made := map[string]int{}
	ask := func(text string) {
		if got := m.get(text, func(s string) int { made[s]++; return len(s) }); got != len(text) {
			t.Errorf("%q gives %d", text, got)
		}
	}
	long := strings.Repeat("x", memoBytes+1)
	for i := range 10 * memoTexts {
		ask("now()")
		ask(strconv.Itoa(i))
		ask(long)
	}
	if made["now()"] != 1 {
		t.Errorf("what is asked for all the time was made %d times", made["now()"])
	}
	if made[long] != 10*memoTexts {
		t.Errorf("a long text was made %d times", made[long])
	}
	if n := len(m.now) + len(m.then); n > 2*memoTexts {
		t.Errorf("%d texts are kept", n)
	}
	ask("0")
	if made["0"] != 2 {
		t.Errorf("an old text was made %d times", made["0"])
	}
}
