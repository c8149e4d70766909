package session

// QueueLength answers how many writers of a session wait for their turn.
func QueueLength(m *Manager, id ID) int {
	key, _, _ := m.keyOf(id)
	m.queue.mu.Lock()
	defer m.queue.mu.Unlock()
	if l := m.queue.lines[key]; l != nil {
		return len(l.waiters)
	}
	return 0
}
