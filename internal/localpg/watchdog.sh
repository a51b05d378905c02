# Ends a PostgreSQL server whose owner has gone.
#
# Stdin is a pipe which the owner holds open. A line "watch PID" names the server (0: none just now), "bye" is the
# orderly end. End of file without it means that the owner has died: then the server gets an immediate shutdown
# (SIGQUIT), SIGKILL ten seconds later, and the paths given as arguments are removed.
pid=0
while read -r word argument; do
	case $word in
	watch) pid=$argument ;;
	bye) exit 0 ;;
	esac
done
if [ "$pid" -gt 0 ] && kill -QUIT "$pid" 2>/dev/null; then
	tries=0
	while kill -0 "$pid" 2>/dev/null; do
		tries=$((tries + 1))
		if [ "$tries" -eq 100 ]; then
			kill -KILL "$pid" 2>/dev/null
			break
		fi
		sleep 0.1
	done
fi
[ "$#" -eq 0 ] || rm -rf -- "$@"
