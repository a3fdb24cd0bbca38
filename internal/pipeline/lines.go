package pipeline

import (
	"bufio"
	"context"
	"errors"
	"io"
)

// maxLine is how much of a line Lines gives.
const maxLine = 64 << 10

// Lines calls fn with each line of the evidence, in source order, without its
// end and with no attempt to understand it. A longer line is given in part.
func Lines(ctx context.Context, opt Options, fn func(line []byte) error) (*Plan, error) {
	plan, err := NewPlan(ctx, opt)
	if err != nil {
		return nil, err
	}
	defer plan.Close()
	for _, l := range plan.Logs {
		if err := l.lines(ctx, fn); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

func (l *Log) lines(ctx context.Context, fn func(line []byte) error) error {
	stream, err := l.Source.Open(ctx)
	if err != nil {
		l.Problems = append(l.Problems, l.path+": "+printable(err.Error()))
		return ctx.Err()
	}
	defer stream.Close()
	r := bufio.NewReaderSize(stream, 256<<10)
	var line []byte
	for begun := false; ; {
		part, err := r.ReadSlice('\n')
		if len(part) > 0 {
			begun = true
			line = append(line, part[:min(len(part), maxLine-min(len(line), maxLine))]...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil, errors.Is(err, io.EOF) && begun:
			if n := len(line); n > 0 && line[n-1] == '\n' {
				line = line[:n-1]
			}
			if n := len(line); n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
			if e := fn(line); e != nil {
				return e
			}
			line, begun = line[:0], false
		}
		if errors.Is(err, io.EOF) {
			return ctx.Err()
		}
		if err != nil {
			l.Problems = append(l.Problems, l.path+": "+printable(err.Error()))
			return ctx.Err()
		}
	}
}
