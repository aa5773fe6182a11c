package main

import (
	"fmt"
	"hash/crc32"
	"time"
)

// runBulk downloads one large body, as fast as it goes or at a reader's pace.
func runBulk(c *client, set settings) result {
	opened, err := c.dial()
	if err != nil {
		return broken(err)
	}
	awaitGo()
	begin := time.Now()
	if _, err := opened.Write(c.request("GET", set.target, "", nil)); err != nil {
		return broken(err)
	}
	if err := opened.readHead(); err != nil {
		return broken(err)
	}
	total, sum := int64(0), uint32(0)
	err = opened.readBody(func(piece []byte) {
		total += int64(len(piece))
		sum = crc32.Update(sum, crc32.IEEETable, piece)
		if set.rate > 0 {
			due := time.Duration(float64(total) / float64(set.rate) * float64(time.Second))
			time.Sleep(due - time.Since(begin))
		}
	})
	if err != nil {
		return broken(err)
	}
	done := result{Event: "done", Requests: 1, Bytes: total, Seconds: time.Since(begin).Seconds()}
	if opened.status != 200 || total != set.bytes || sum != uint32(set.crc) {
		done.Wrong = 1
		done.First = fmt.Sprintf("status %d, %d bytes, CRC %d", opened.status, total, sum)
	}
	return done
}
