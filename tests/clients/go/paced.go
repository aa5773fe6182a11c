package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
)

// postPaced has workers, each with connections of its own, create objects in waves, so that as many
// connections are open at once. Between waves all pause for about as long as idle connections are
// kept, so that they are closed just as they are used again. All creates are counted by outcome.
func postPaced(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("paced", flag.ContinueOnError)
	workers := flags.Int("workers", 125, "")
	waves := flags.Int("waves", 40, "")
	least := flags.Duration("least", 200*time.Millisecond, "the shortest pause")
	most := flags.Duration("most", 1400*time.Millisecond, "the longest")
	idle := flags.Duration("idle", 0, "how long every second worker itself keeps an idle connection; client-go: 90 s")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	pauses := make([]time.Duration, *waves)
	for wave := range pauses {
		pauses[wave] = *least + time.Duration(rand.Int64N(int64(*most-*least)))
	}
	clients := make([]kubernetes.Interface, *workers)
	for worker := range clients {
		client, err := lone(time.Duration(worker%2) * *idle)
		if err != nil {
			return err
		}
		clients[worker] = client
	}
	outcomes := map[string]int{}
	var mutex sync.Mutex
	var all sync.WaitGroup
	began := time.Now()
	for worker, client := range clients {
		all.Go(func() {
			for wave, pause := range pauses {
				said := post(ctx, client, fmt.Sprintf("paced-%d-%d", worker, wave))
				mutex.Lock()
				outcomes[said]++
				mutex.Unlock()
				// Not all at the same instant: some before, some in the middle of the closing.
				time.Sleep(pause + time.Duration(rand.IntN(20))*time.Millisecond)
			}
		})
	}
	all.Wait()
	tell("paced", map[string]any{"outcomes": outcomes, "seconds": time.Since(began).Seconds()})
	return nil
}

// lone is a client with a transport of its own: client-go shares one among equal configurations.
func lone(idle time.Duration) (kubernetes.Interface, error) {
	config, _, err := inCluster(nil)
	if err != nil {
		return nil, err
	}
	config.ContentType = protobuf
	config.Dial = (&net.Dialer{}).DialContext
	if idle > 0 {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			innermost(next).IdleConnTimeout = idle
			return next
		})
	}
	return kubernetes.NewForConfig(config)
}

func innermost(transport http.RoundTripper) *http.Transport {
	for {
		wrapper, wraps := transport.(utilnet.RoundTripperWrapper)
		if !wraps {
			return transport.(*http.Transport)
		}
		transport = wrapper.WrappedRoundTripper()
	}
}

func post(ctx context.Context, client kubernetes.Interface, name string) string {
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := client.CoreV1().ConfigMaps(namespaceOfPod()).Create(ctx, object, metav1.CreateOptions{})
	if err != nil {
		return err.Error()
	}
	return "created"
}
