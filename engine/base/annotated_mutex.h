// A mutex whose guarded members the compiler checks (clang -Wthread-safety): write `T m_x
// BITLOOM_GUARDED_BY(m_mutex);`. g++ ignores the annotations.
#pragma once

#include <mutex>

#if defined(__clang__)
#define BITLOOM_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define BITLOOM_THREAD_ANNOTATION(x)
#endif

#define BITLOOM_GUARDED_BY(mutex) BITLOOM_THREAD_ANNOTATION(guarded_by(mutex))
#define BITLOOM_REQUIRES(mutex) BITLOOM_THREAD_ANNOTATION(requires_capability(mutex))

namespace bitloom {

class BITLOOM_THREAD_ANNOTATION(capability("mutex")) Mutex {
  public:
    void lock() BITLOOM_THREAD_ANNOTATION(acquire_capability()) { m_mutex.lock(); }
    void unlock() BITLOOM_THREAD_ANNOTATION(release_capability()) { m_mutex.unlock(); }

  private:
    std::mutex m_mutex;
};

/// Holds a Mutex for a scope. Satisfies BasicLockable, so a std::condition_variable_any can wait on it.
class BITLOOM_THREAD_ANNOTATION(scoped_lockable) MutexLock {
  public:
    explicit MutexLock(Mutex& mutex) BITLOOM_THREAD_ANNOTATION(acquire_capability(mutex)) : m_mutex(mutex) {
        m_mutex.lock();
    }
    ~MutexLock() BITLOOM_THREAD_ANNOTATION(release_capability()) { m_mutex.unlock(); }
    MutexLock(const MutexLock&) = delete;
    MutexLock& operator=(const MutexLock&) = delete;
    void lock() BITLOOM_THREAD_ANNOTATION(acquire_capability()) { m_mutex.lock(); }
    void unlock() BITLOOM_THREAD_ANNOTATION(release_capability()) { m_mutex.unlock(); }

  private:
    Mutex& m_mutex;
};

}  // namespace bitloom
