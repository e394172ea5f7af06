package storetest

import (
	"bytes"
	"fmt"

	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// withOutput is a running job with these parts of output.
func (b *bed) withOutput(j *jobs.Job, parts ...string) {
	b.Helper()
	b.create(j)
	b.start(j)
	for i, text := range parts {
		step := stepOf(j, i)
		step.Output = []byte(text)
		b.must(b.save(step))
	}
}

// rewrite has every part of the outputs of the bed's study rewritten.
func (b *bed) rewrite(rewrite func(kind string, part []byte) []byte) error {
	return b.in(func(tx registry.Tx) error { return tx.RewriteOutputs(b.ctx, rewrite) })
}

// without takes a text out of a part; where it is not, it answers the same slice.
func without(text string) func(string, []byte) []byte {
	return func(_ string, part []byte) []byte { return bytes.ReplaceAll(part, []byte(text), nil) }
}

var outputLaws = []law{
	{"every part of every job of the study is offered once, whatever its state, with its kind and as it is", func(b *bed) {
		first, second, other := b.job(1), b.job(2), b.job(3)
		second.Kind = "extract"
		other.Study, other.Site = b.other.ID, b.other.Sites[0].ID
		b.withOutput(first, "a", "b\x00\xff\n", "c")
		b.withOutput(second, "d")
		b.withOutput(other, "e")
		b.create(b.job(4))
		b.finish(second, jobs.Completed)
		offered := map[string]int{}
		b.must(b.rewrite(func(kind string, part []byte) []byte {
			offered[fmt.Sprintf("%s %q", kind, part)]++
			return part
		}))
		b.same("offered", map[string]int{`bulk "a"`: 1, `bulk "b\x00\xff\n"`: 1, `bulk "c"`: 1, `extract "d"`: 1}, offered)
		b.same("output", []string{"a", "b\x00\xff\n", "c"}, b.output(first))
	}},
	{"what is answered is kept, in its place", func(b *bed) {
		j, other := b.job(1), b.job(2)
		other.Study, other.Site = b.other.ID, b.other.Sites[0].ID
		b.withOutput(j, "1,ANN\n", "2,BOB\n", "3,ANN\n4,CAT\n")
		b.withOutput(other, "1,ANN\n")
		b.must(b.rewrite(without("ANN")))
		b.same("output", []string{"1,\n", "2,BOB\n", "3,\n4,CAT\n"}, b.output(j))
		b.same("other study's", []string{"1,ANN\n"}, b.output(other))
		b.reopen()
		b.same("output, later", []string{"1,\n", "2,BOB\n", "3,\n4,CAT\n"}, b.output(j))
	}},
	{"a part of which nothing is left stays a part", func(b *bed) {
		j := b.job(1)
		b.withOutput(j, "ANN", "BOB", "ANN")
		b.must(b.rewrite(func(_ string, part []byte) []byte {
			if string(part) == "ANN" {
				return nil
			}
			return part
		}))
		b.same("output", []string{"", "BOB", ""}, b.output(j))
	}},
	{"a job that goes on adds its next part after the rewritten ones", func(b *bed) {
		j := b.job(1)
		b.withOutput(j, "1,ANN\n", "2,BOB\n")
		b.must(b.rewrite(without("ANN")))
		step := stepOf(j, 2)
		step.Output = []byte("3,CAT\n")
		b.must(b.save(step))
		b.same("output", []string{"1,\n", "2,BOB\n", "3,CAT\n"}, b.output(j))
	}},
	{"a part that is saved in the same transaction is offered too", func(b *bed) {
		j := b.job(1)
		b.withOutput(j, "1,BOB\n")
		step := stepOf(j, 1)
		step.Output = []byte("2,ANN\n")
		b.must(b.in(func(tx registry.Tx) error {
			b.must(tx.SaveStep(b.ctx, step))
			return tx.RewriteOutputs(b.ctx, without("ANN"))
		}))
		b.same("output", []string{"1,BOB\n", "2,\n"}, b.output(j))
	}},
	{"rewriting commits with its transaction or not at all", func(b *bed) {
		j := b.job(1)
		b.withOutput(j, "1,ANN\n")
		err := b.in(func(tx registry.Tx) error {
			b.must(tx.RewriteOutputs(b.ctx, without("ANN")))
			return errOurs
		})
		if err == nil {
			b.Fatal("no error")
		}
		b.same("output", []string{"1,ANN\n"}, b.output(j))
	}},
	{"the outputs of deleted jobs are not offered", func(b *bed) {
		j := b.job(1)
		b.withOutput(j, "1,ANN\n")
		b.must(b.DeleteJob(b.ctx, j.Study, j.ID, now, nil))
		b.must(b.rewrite(func(_ string, part []byte) []byte {
			b.Errorf("offered %q", part)
			return part
		}))
	}},
	{"hundreds of parts are rewritten", func(b *bed) {
		j := b.job(1)
		b.create(j)
		b.start(j)
		b.must(b.in(func(tx registry.Tx) error {
			for part := range 300 {
				step := stepOf(j, part)
				step.Output = fmt.Appendf(nil, "%d,ANN\n", part)
				b.must(tx.SaveStep(b.ctx, step))
			}
			return nil
		}))
		b.must(b.rewrite(without(",ANN")))
		for part, text := range b.output(j) {
			b.same("part", fmt.Sprintf("%d\n", part), text)
		}
	}},
}
