"""The programs inside the measured containers: one that listens as early as possible, and one that takes any load."""

# In Perl, which every Debian has and which listens earlier than Python. Answers `service container listening-since-ns`.
# As process 1 it ignores SIGTERM, so it answers until it is killed: later requests than the last one can be seen.
QUICK = r"""
use Socket; use POSIX ();
my ($service, $port) = @ARGV;
my ($host, $machine) = (POSIX::uname())[1, 4];
sub now { my $b = "\0" x 16; syscall($machine eq "aarch64" ? 113 : 228, 0, $b); sprintf("%d%09d", unpack("qq", $b)) }
socket(S, AF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
bind(S, sockaddr_in($port, INADDR_ANY)) or die; listen(S, 1024);
my $text = "$service $host " . now();
my $answer = "HTTP/1.1 200 OK\r\nContent-Length: " . length($text) . "\r\nConnection: close\r\n\r\n$text";
while (1) { accept(C, S) or next; sysread(C, my $q, 9999); syswrite(C, $answer); close(C) }
"""

# HAProxy as a server: it answers thousands of calls a second from one thread, where Python would be the bottleneck.
STRONG = """
global
    nbthread 1
    maxconn 8000
defaults
    mode http
    timeout client 60s
    timeout http-keep-alive 60s
frontend all
    bind *:{port}
    http-request return status 200 content-type text/plain lf-string "{service} %[hostname] %[dst]"
"""
