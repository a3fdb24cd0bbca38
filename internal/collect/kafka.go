package collect

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/sextant-logs/sextant/internal/spool"
)

// Kafka topics, as a member of a consumer group. An offset is committed when its
// records are on disk; a record's place is its key, so what is read again after
// a death is not stored again.
var (
	_ = register("kafka", "Kafka consumer group: kafka://BROKER[,BROKER…]/TOPIC[,TOPIC…]?group=sextant", newKafka)
	_ = register("kafka+tls", "the same over TLS, with ca=FILE and cert=FILE&key=FILE; USER:PASSWORD@ and &sasl=plain, scram-sha-256 or scram-sha-512 log in", newKafka)
)

const maxKafkaBatch = 64 << 20 // bytes, inflated

type kafka struct {
	url    *url.URL
	o      Options
	client *kgo.Client
	opts   []kgo.Opt
}

func newKafka(u *url.URL, o Options) (Collector, error) {
	topics := strings.Split(strings.Trim(u.Path, "/"), ",")
	if u.Host == "" || topics[0] == "" {
		return nil, fmt.Errorf("--listen %s://…: want kafka://BROKER/TOPIC?group=NAME", u.Scheme)
	}
	q := u.Query()
	group := q.Get("group")
	if group == "" {
		group = "sextant"
	}
	c := &kafka{url: u, o: o, opts: []kgo.Opt{
		kgo.SeedBrokers(strings.Split(u.Host, ",")...), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topics...),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxBytes(8 << 20), kgo.MaxDecompressBatchBytes(maxKafkaBatch), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}}
	if u.Scheme == "kafka+tls" {
		config, err := ClientTLS(q)
		if err != nil {
			return nil, fmt.Errorf("kafka: %w", err)
		}
		c.opts = append(c.opts, kgo.DialTLSConfig(config))
	}
	if u.User != nil {
		user := u.User.Username()
		password, _ := u.User.Password()
		switch q.Get("sasl") {
		case "", "plain":
			c.opts = append(c.opts, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
		case "scram-sha-256":
			c.opts = append(c.opts, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism()))
		case "scram-sha-512":
			c.opts = append(c.opts, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
		default:
			return nil, fmt.Errorf("kafka: sasl=%s: want plain, scram-sha-256 or scram-sha-512", q.Get("sasl"))
		}
	}
	return c, nil
}

// Name implements Collector.
func (c *kafka) Name() string { return c.url.Scheme + "://" + c.url.Host + c.url.Path }

// Listen implements Collector.
func (c *kafka) Listen(context.Context) (err error) {
	c.client, err = kgo.NewClient(c.opts...)
	return err
}

// Run implements Collector.
func (c *kafka) Run(ctx context.Context, sink Sink) error {
	defer c.client.CloseAllowingRebalance()
	for {
		fetches := c.client.PollRecords(ctx, 5000)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return nil
		}
		fetches.EachError(func(topic string, p int32, err error) {
			if big := (*kgo.ErrDecompressTooLarge)(nil); errors.As(err, &big) {
				c.o.Stats.Errors.Add(1)
				c.o.Log.Error("a batch of records is skipped: it inflates to more than it may", "topic", topic, "partition", p, "from", big.Offset, "to", big.NextOffset-1, "bytes", maxKafkaBatch)
				c.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {p: {Epoch: big.Epoch, Offset: big.NextOffset}}})
				return
			}
			if !errors.Is(err, context.Canceled) {
				c.o.Stats.Errors.Add(1)
				c.o.Log.Warn("cannot read", "topic", topic, "partition", p, "error", err)
			}
		})
		var ds []*spool.Delivery
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			var g grouped
			for _, r := range p.Records {
				g.add(c.record(r), "", formatOfValue(r.Value), formatOfValue(r.Value))
			}
			ds = append(ds, g.deliveries(&spool.Delivery{Collector: c.url.Scheme + "://" + c.url.Host + "/" + p.Topic, Received: time.Now().UnixNano()})...)
		})
		for pause := 100 * time.Millisecond; len(ds) > 0; pause = min(2*pause, 5*time.Second) {
			err := deliver(context.WithoutCancel(ctx), sink, c.o.Stats, ds...)
			if err == nil {
				if err := c.client.CommitRecords(context.WithoutCancel(ctx), fetches.Records()...); err != nil {
					c.o.Stats.Errors.Add(1)
					c.o.Log.Warn("cannot commit", "error", err)
				}
				break
			}
			if errors.Is(err, spool.ErrClosed) || ctx.Err() != nil {
				return nil // not committed: it is read again
			}
			time.Sleep(pause)
		}
		c.client.AllowRebalance()
	}
}

// formatOfValue tells documents from lines, which are recognised together.
func formatOfValue(v []byte) string {
	if len(v) > 0 && v[0] == '{' {
		return "json"
	}
	return ""
}

func (c *kafka) record(r *kgo.Record) spool.Record {
	rec := spool.Record{Data: r.Value, Key: spool.KeyOf([]byte("kafka"), []byte(c.url.Host), []byte(r.Topic), []byte(strconv.Itoa(int(r.Partition))), []byte(strconv.FormatInt(r.Offset, 10)))}
	if !r.Timestamp.IsZero() && r.Timestamp.Unix() > 0 {
		rec.Time = r.Timestamp.UnixNano()
	}
	rec.Fields = []spool.Field{{Name: "kafka.offset", Value: strconv.FormatInt(r.Offset, 10)}, {Name: "kafka.partition", Value: strconv.Itoa(int(r.Partition))}, {Name: "kafka.topic", Value: r.Topic}}
	if len(r.Key) > 0 && len(r.Key) < 1024 {
		rec.Fields = append(rec.Fields, spool.Field{Name: "kafka.key", Value: strings.ToValidUTF8(string(r.Key), "\uFFFD")})
	}
	return rec
}
