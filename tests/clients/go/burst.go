package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const (
	burstPatience = 60 * time.Second
	burstLabel    = "burst"
)

// ledger counts what an informer's handlers were told, by object and version.
type ledger struct {
	mutex sync.Mutex
	seen  map[string]int
	ended map[string]int // objects whose deletion was told
}

func (l *ledger) note(event string, object any) {
	configMap, whole := object.(*corev1.ConfigMap)
	if !whole { // a tombstone: the informer missed the deletion itself
		event, configMap = event+"-missed", object.(cache.DeletedFinalStateUnknown).Obj.(*corev1.ConfigMap)
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.seen[event+" "+configMap.Name+" "+configMap.Data["round"]]++
	if event == "delete" || event == "delete-missed" {
		l.ended[configMap.Name]++
	}
}

// watchBurst runs a SharedInformer while the harness, or another client, makes a burst of changes.
// It ends when so many objects as its argument says have come and gone.
func watchBurst(ctx context.Context, arguments []string) error {
	wanted, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	config, namespace, err := inCluster(nil)
	if err != nil {
		return err
	}
	config.ContentType = protobuf
	config.AcceptContentTypes = protobuf + ",application/json"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	told := &ledger{seen: map[string]int{}, ended: map[string]int{}}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = burstLabel }))
	informer := factory.Core().V1().ConfigMaps().Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { told.note("add", object) },
		UpdateFunc: func(_, object any) { told.note("update", object) },
		DeleteFunc: func(object any) { told.note("delete", object) },
	})
	if err != nil {
		return err
	}
	factory.StartWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return fmt.Errorf("the informer did not synchronise")
	}
	if err := ask("burst"); err != nil {
		return err
	}
	for deadline := time.Now().Add(burstPatience); ; time.Sleep(10 * time.Millisecond) {
		told.mutex.Lock()
		done := len(told.ended) == wanted
		if done || time.Now().After(deadline) {
			tell("burst", map[string]any{"seen": told.seen, "left": informer.GetStore().ListKeys()})
			told.mutex.Unlock()
			return nil
		}
		told.mutex.Unlock()
	}
}
